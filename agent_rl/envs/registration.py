"""Environments by name: here, in Gymnasium, of installed packages, by the path of a file, and several as a mixture."""

import functools
import importlib
import logging
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import gymnasium
from pydantic import ValidationError

from agent_rl import ADAPTERS, SHIPPED_ENVIRONMENTS
from agent_rl.core.errors import UserError, nearest
from agent_rl.core.modules import run_file
from agent_rl.core.outcome import told
from agent_rl.core.registry import Registry
from agent_rl.envs.base import AgentEnv
from agent_rl.envs.mixture import mixture_of

GROUP = "agent_rl.environments"
"""The group of entry points by which an installed package brings environments."""

ENVIRONMENTS: Registry[type[AgentEnv] | str] = Registry("environment")
for _name, (_, _entry) in (SHIPPED_ENVIRONMENTS | ADAPTERS).items():
    ENVIRONMENTS.register(_name, _entry)
logger = logging.getLogger(__name__)


def register_env(name: str, cls: type[AgentEnv] | str, version: int = 0) -> None:
    """Make an environment known as `env=name` and as `gymnasium.make("agent_rl/Name-v0")`.

    Args:
        name: Lower case, words joined by underscores.
        cls: The environment, or `"package.module:Class"` to import it only when it is first made.
        version: Gymnasium's version; raise it when results are no longer comparable.
    """
    if name in ENVIRONMENTS:
        ENVIRONMENTS.register(name, cls)  # refuses another class
        return
    title = "".join(word.capitalize() for word in name.split("_"))
    gymnasium.register(id=f"agent_rl/{title}-v{version}", entry_point=cls)
    ENVIRONMENTS.register(name, cls)


def register_installed(found: Iterable[EntryPoint]) -> None:
    """Make the environments of installed packages known by the names of their entry points; nothing is imported yet.

    A name may end with a version, as Gymnasium writes it: `museum-v2` is `museum` in version 2, without one it is 0.
    """
    for entry in found:
        name, _, version = entry.name.rpartition("-v")
        try:
            if name and version.isdecimal():
                register_env(name, entry.value, int(version))
            else:
                register_env(entry.name, entry.value)
        except (UserError, gymnasium.error.Error) as error:
            package = entry.dist.name if entry.dist else "an installed package"
            logger.warning("the environment '%s' of %s is left out: %s", entry.name, package, error)


def environment(name: str) -> type[AgentEnv]:
    """Return the environment class of a name, of a path such as `my_envs/shop.py:Shop`, or of `[several,of,them]`.

    Raises:
        UserError: There is no such environment, file or class, or it cannot be loaded.
    """
    if name.startswith("["):
        return _mixture(name)
    if ":" not in name:
        entry = ENVIRONMENTS[name]
        return entry if isinstance(entry, type) else _import(name, entry)
    path, _, attribute = name.partition(":")
    file = Path(path)
    if not file.is_file() or file.suffix != ".py":
        raise UserError(f"environment '{name}': there is no Python file {file}")
    cls = getattr(_module(file.resolve()), attribute, None)
    if not (isinstance(cls, type) and issubclass(cls, AgentEnv)):
        raise UserError(f"environment '{name}': {file} has no environment class '{attribute}'")
    return cls


def label_of(name: str) -> str:
    """Return an environment's name without a path, for folders, titles and the members of mixtures."""
    if name.startswith("["):
        return "+".join(map(label_of, _members(name)))
    return name.rpartition(":")[2].lower()


def _members(name: str) -> list[str]:
    return [member.strip() for member in name.removeprefix("[").removesuffix("]").split(",") if member.strip()]


@functools.cache
def _mixture(name: str) -> type[AgentEnv]:
    members = {label_of(member): environment(member) for member in _members(name)}
    if len(members) != len(_members(name)) or not members:
        raise UserError(f"env={name}: a mixture has one or more environments of different names")
    return mixture_of(members)


def _module(file: Path) -> ModuleType:
    try:
        return run_file(file)
    except Exception as error:
        raise UserError(f"the environment file {file} cannot be run: {type(error).__name__}: {error}") from error


def _import(name: str, entry: str) -> type[AgentEnv]:
    module, _, attribute = entry.partition(":")
    try:
        cls = getattr(importlib.import_module(module), attribute)
    except Exception as error:
        raise UserError(f"the environment '{name}' ({entry}) cannot be loaded: {told(error)}") from error
    if not (isinstance(cls, type) and issubclass(cls, AgentEnv)):
        raise UserError(f"the environment '{name}' ({entry}) is no environment class")
    return cls


def make(name: str, **settings: Any) -> AgentEnv:
    """Return a new environment by its name or path, or of a mixture: `make("[search,countdown]", weights=[2, 1])`.

    Raises:
        UserError: There is no such environment, or a setting is unknown or wrong.
    """
    cls = environment(name)
    try:
        return cls(**settings)
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(map(str, problem["loc"]))
        hint = nearest(key, cls.settings_class().model_fields) if problem["type"] == "extra_forbidden" else ""
        raise UserError(f"env.{key}: {problem['msg']}{hint}") from error


register_installed(entry_points(group=GROUP))
