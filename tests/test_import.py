"""`import agent_rl` is quick because it imports nothing that is slow."""

import subprocess
import sys

HEAVY = ("torch", "ray", "transformers", "gymnasium", "pydantic")


def run(script: str) -> str:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()


def test_importing_the_package_imports_none_of_the_slow_libraries():
    loaded = run("import sys, agent_rl; print(*sorted(name.partition('.')[0] for name in sys.modules))").split()
    assert "agent_rl" in loaded
    assert not set(HEAVY) & set(loaded)


def test_every_public_name_resolves_and_is_listed():
    script = "import agent_rl; print(*[n for n in agent_rl.__all__ if getattr(agent_rl, n).__name__ != n], dir(agent_rl) == sorted(agent_rl.__all__))"
    assert run(script) == "True"


def test_a_name_that_is_not_public_is_an_attribute_error():
    assert run("import agent_rl; print(hasattr(agent_rl, 'toool'))") == "False"
