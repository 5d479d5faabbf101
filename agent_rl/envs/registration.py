"""Environments by name: here, in Gymnasium, and by the path of a file."""

import functools
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import gymnasium
from pydantic import ValidationError

from agent_rl import ADAPTERS, SHIPPED_ENVIRONMENTS
from agent_rl.core.errors import UserError, nearest
from agent_rl.core.registry import Registry
from agent_rl.envs.base import AgentEnv

ENVIRONMENTS: Registry[type[AgentEnv] | str] = Registry("environment")
for _name, (_, _entry) in (SHIPPED_ENVIRONMENTS | ADAPTERS).items():
    ENVIRONMENTS.register(_name, _entry)


def register_env(name: str, cls: type[AgentEnv] | str, version: int = 0) -> None:
    """Make an environment known as `env=name` and as `gymnasium.make("agent_rl/Name-v0")`.

    Args:
        name: Lower case, words joined by underscores.
        cls: The environment, or `"package.module:Class"` to import it only when it is first made.
        version: Gymnasium's version; raise it when results are no longer comparable.
    """
    if name in ENVIRONMENTS and ENVIRONMENTS[name] == cls:
        return
    ENVIRONMENTS.register(name, cls)
    title = "".join(word.capitalize() for word in name.split("_"))
    gymnasium.register(id=f"agent_rl/{title}-v{version}", entry_point=cls)


def environment(name: str) -> type[AgentEnv]:
    """Return the environment class registered as `name`, or at a path such as `my_envs/shop.py:Shop`.

    Raises:
        UserError: There is no such environment, file or class.
    """
    if ":" not in name:
        entry = ENVIRONMENTS[name]
        return entry if isinstance(entry, type) else _import(entry)
    path, _, attribute = name.partition(":")
    file = Path(path)
    if not file.is_file() or file.suffix != ".py":
        raise UserError(f"environment '{name}': there is no Python file {file}")
    cls = getattr(_module(file.resolve()), attribute, None)
    if not (isinstance(cls, type) and issubclass(cls, AgentEnv)):
        raise UserError(f"environment '{name}': {file} has no environment class '{attribute}'")
    return cls


@functools.cache
def _module(file: Path) -> ModuleType:
    """Run a Python file once, as a module."""
    spec = importlib.util.spec_from_file_location(f"agent_rl_env_{file.stem}", file)
    assert spec is not None and spec.loader is not None  # the file ends in .py
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UserError(f"the environment file {file} cannot be run: {type(error).__name__}: {error}") from error
    return module


def _import(entry: str) -> type[AgentEnv]:
    module, _, attribute = entry.partition(":")
    cls: type[AgentEnv] = getattr(importlib.import_module(module), attribute)
    return cls


def make(name: str, **settings: Any) -> AgentEnv:
    """Return a new environment by its name or path.

    Raises:
        UserError: There is no such environment, or a setting is unknown or wrong.
    """
    cls = environment(name)
    try:
        return cls(**settings)
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(map(str, problem["loc"]))
        hint = nearest(key, cls.Settings.model_fields) if problem["type"] == "extra_forbidden" else ""
        raise UserError(f"env.{key}: {problem['msg']}{hint}") from error
