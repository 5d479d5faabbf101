"""Settings become the sandbox that they describe."""

import importlib.util
from typing import Any

import pytest
from pydantic import TypeAdapter

from agent_rl.core.errors import UserError
from agent_rl.tools.sandbox import making
from agent_rl.tools.sandbox.settings import SandboxSettings


def settings(name: str) -> SandboxSettings:
    return TypeAdapter[SandboxSettings](SandboxSettings).validate_python({"name": name})


@pytest.mark.parametrize("name", ["local", "fusion", "docker", "e2b"])
def test_each_name_has_its_sandbox(name: str):
    if name in ("docker", "e2b"):
        pytest.importorskip(name, reason=f"the package {name} is not installed")
    sandbox = making.make_sandbox(settings(name))
    assert type(sandbox).__name__.lower() == f"{name}sandbox" and "python" in sandbox.languages


@pytest.mark.parametrize("name", ["docker", "e2b"])
def test_a_package_that_is_missing_is_named(name: str, monkeypatch: pytest.MonkeyPatch):
    found = importlib.util.find_spec

    def find(package: str, *more: Any) -> Any:
        return None if package == name else found(package, *more)

    monkeypatch.setattr(making, "find_spec", find)
    with pytest.raises(UserError, match=rf"pip install 'agent-rl\[{name}\]'"):
        making.make_sandbox(settings(name))
