"""What environments return, checked before anything is made of it: a reward that is none must never be learned from."""

import math
from collections.abc import Mapping
from typing import Any, SupportsFloat

import numpy as np

from agent_rl.core.outcome import BrokenEnvironmentError
from agent_rl.envs.base import ResetResult, StepResult
from agent_rl.envs.spaces import ChatSpace

_CHAT = ChatSpace()


def checked_reset(answer: Any) -> ResetResult:
    """Return what a `reset` returned, if it is what the contract says.

    Raises:
        BrokenEnvironmentError: It is not; the message names what is wrong.
    """
    _require("reset", isinstance(answer, tuple) and len(answer) == 2, "no pair of messages and info", answer)
    messages, info = answer
    _require("reset", _CHAT.contains(messages), "an observation that is no list of messages", messages)
    _check_info("reset", info)
    return messages, info


def checked_step(answer: Any) -> StepResult:
    """Return what a `step` returned, with the reward as a float, if it is what the contract says.

    Raises:
        BrokenEnvironmentError: It is not; the message names what is wrong.
    """
    _require("step", isinstance(answer, tuple) and len(answer) == 5, "no five values", answer)
    messages, reward, terminated, truncated, info = answer
    _require("step", _CHAT.contains(messages), "an observation that is no list of messages", messages)
    _require("step", _finite(reward), "a reward that is no finite number", reward)
    for name, flag in (("terminated", terminated), ("truncated", truncated)):
        _require("step", isinstance(flag, bool | np.bool_), f"{name} that is not true or false", flag)
    _check_info("step", info)
    return messages, float(reward), bool(terminated), bool(truncated), info


def _check_info(what: str, info: Any) -> None:
    _require(what, isinstance(info, Mapping), "an info that is no dictionary", info)
    tools, components = info.get("tools", []), info.get("components", {})
    listed = isinstance(tools, list) and all(isinstance(tool, Mapping) for tool in tools)
    _require(what, listed, "info['tools'] that are no list of schemas", tools)
    _require(what, isinstance(components, Mapping), "info['components'] that are no dictionary", components)
    for name, value in components.items():
        _require(what, _finite(value), f"a component '{name}' that is no finite number", value)
    if "context" in info:
        _require(what, _CHAT.contains(info["context"]), "info['context'] that is no list of messages", info["context"])


def _finite(value: Any) -> bool:
    return isinstance(value, SupportsFloat) and math.isfinite(float(value))


def _require(what: str, holds: bool, problem: str, seen: Any) -> None:
    if not holds:
        shown = repr(seen) if seen is None or isinstance(seen, bool | int | float) else f"a {type(seen).__name__}"
        raise BrokenEnvironmentError("environment", f"its {what} returned {problem}: {shown}")
