"""Wrappers by name, and one entry of `env.wrappers`."""

import importlib
import inspect
from typing import Any

import gymnasium
from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, model_validator

from agent_rl.core.errors import UserError, nearest
from agent_rl.core.registry import Registry
from agent_rl.envs.wrappers.base import AgentWrapper, ChatEnv
from agent_rl.envs.wrappers.context import DropObservations, TruncateToolOutput
from agent_rl.envs.wrappers.limits import LimitEpisode
from agent_rl.envs.wrappers.record import Record
from agent_rl.envs.wrappers.summarise import Summarise
from agent_rl.envs.wrappers.user import SimulatedUser

WRAPPERS: Registry[type[AgentWrapper]] = Registry("wrapper")
WRAPPERS.register("drop_observations", DropObservations)
WRAPPERS.register("limit", LimitEpisode)
WRAPPERS.register("record", Record)
WRAPPERS.register("simulated_user", SimulatedUser)
WRAPPERS.register("summarise", Summarise)
WRAPPERS.register("truncate_tool_output", TruncateToolOutput)


def register_wrapper(name: str, cls: type[AgentWrapper]) -> None:
    """Make a wrapper known as `env.wrappers=[NAME]`; in the file of an environment, it is when that is read."""
    WRAPPERS.register(name, cls)


class WrapperSection(BaseModel):
    """`name`, and beside it the options of the wrapper that it names."""

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True)

    name: str
    """A registered wrapper, or PACKAGE.MODULE:CLASS, such as gymnasium.wrappers:TimeLimit."""

    @model_validator(mode="wrap")
    @classmethod
    def _known(cls, values: Any, handler: ModelWrapValidatorHandler["WrapperSection"]) -> "WrapperSection":
        """Let the wrapper's own class judge its options, so that errors name their keys; a bare name has none."""
        section = handler({"name": values} if isinstance(values, str) else values)
        found = wrapper(section.name)
        if not issubclass(found, AgentWrapper):
            _check_arguments(section.name, found, section.options)
            return section
        known = found.Options.model_fields
        for unknown in (key for key in section.options if key not in known):
            raise ValueError(f"{section.name} has no option '{unknown}'{nearest(unknown, known)}")
        found.Options.model_validate(section.options)
        return section

    @property
    def options(self) -> dict[str, Any]:
        """What stands beside the name."""
        return dict(self.model_extra or {})

    def wrap(self, env: ChatEnv) -> ChatEnv:
        """Return `env` in this wrapper."""
        cls: Any = wrapper(self.name)
        wrapped: ChatEnv = cls(env, **self.options)
        return wrapped


def wrapper(name: str) -> type[gymnasium.Wrapper[Any, Any, Any, Any]]:
    """Return the wrapper class registered as `name`, or at a place such as `gymnasium.wrappers:TimeLimit`.

    Raises:
        UserError: There is none.
    """
    module, colon, attribute = name.partition(":")
    if not colon:
        return WRAPPERS[name]
    try:
        cls = getattr(importlib.import_module(module), attribute, None)
    except ImportError as error:
        raise UserError(f"wrapper '{name}': {error}") from error
    if not (isinstance(cls, type) and issubclass(cls, gymnasium.Wrapper)):
        raise UserError(f"wrapper '{name}': {module} has no wrapper class '{attribute}'")
    return cls


def _check_arguments(name: str, cls: type, options: dict[str, Any]) -> None:
    """Refuse options that a wrapper of Gymnasium's kind, whose constructor alone describes them, does not take."""
    try:
        inspect.signature(cls).bind(None, **options)
    except TypeError as error:
        raise ValueError(f"{name}: {error}") from error
