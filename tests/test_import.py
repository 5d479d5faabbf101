"""`import agent_rl` is quick because it imports nothing that is slow."""

import subprocess
import sys

import pytest

import agent_rl

HEAVY = ("torch", "ray", "transformers", "pydantic", "hydra", "tantivy")


def run(script: str) -> str:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()


def test_importing_the_package_imports_none_of_the_slow_libraries():
    loaded = run("import sys, agent_rl; print(*sorted(name.partition('.')[0] for name in sys.modules))").split()
    assert "agent_rl" in loaded
    assert not set(HEAVY) & set(loaded)


def test_every_public_name_resolves_and_is_listed():
    assert {"tool", "Tool", "ToolEnv", "AgentEnv", "reward", "register_env", "make", "Task"} <= set(agent_rl.__all__)
    assert [name for name in agent_rl.__all__ if getattr(agent_rl, name).__name__ != name] == []
    assert dir(agent_rl) == sorted(agent_rl.__all__)


def test_a_name_that_is_not_public_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'agent_rl' has no attribute 'toool'"):
        _ = agent_rl.toool
