"""Whether rewards are functions of what was said alone, as far as the code of an environment shows."""

import dis
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType
from typing import Any

from agent_rl.core.errors import UserError
from agent_rl.core.task import Task
from agent_rl.envs.base import AgentEnv
from agent_rl.envs.tool_env import ToolEnv

_HEARD = ("answer", "messages", "action", "observation")
_KEPT = {"task", "messages"}  # what an environment is told in any case


def check_stateless(env: AgentEnv, task: Task) -> None:
    """Refuse an environment whose rewards need that its tools have run.

    Its tools and rewards are read, with the methods of its class that they call: a reward must not look at an attribute
    that a tool sets, or whose value is a list, a dictionary or a set that a tool can reach.

    Args:
        env: The environment, perhaps in wrappers; it is reset.
        task: The task to reset it with.

    Raises:
        UserError: It makes its rewards otherwise, or one of them hangs on what tools did.
    """
    inner, advice = env.unwrapped, "leave it at answers=again"
    cls: Any = type(inner)
    if not isinstance(inner, ToolEnv) or (cls.astep, cls._answers) != (ToolEnv.astep, ToolEnv._answers):
        raise UserError(f"answers=saved: {cls.__name__} does not make its rewards by @reward alone; {advice}")
    env.reset(seed=0, options={"task": task})
    changed = _changed_by_tools(inner)
    for part in inner.rewards():
        if not set(part.wants) & set(_HEARD):
            why = f"asks for none of {', '.join(_HEARD)}"
        elif seen := sorted(changed & {name for code in _code(cls, part.function) for name in code.co_names}):
            why = f"looks at '{seen[0]}', which the tools change"
        else:
            continue
        raise UserError(f"answers=saved: the reward '{part.name}' {why}; {advice}")


def _changed_by_tools(env: ToolEnv) -> set[str]:
    """Return the attributes of an environment that its tools set, or whose values they can change."""
    codes = [code for tool in env.tools() for code in _code(type(env), tool.function)]
    stored = {step.argval for code in codes for step in dis.get_instructions(code) if step.opname == "STORE_ATTR"}
    held = {name for name, value in vars(env).items() if isinstance(value, list | dict | set)}
    return (stored | held & {name for code in codes for name in code.co_names}) - _KEPT


def _code(cls: type, function: Callable[..., Any]) -> Iterator[CodeType]:
    """Yield the code of a function and of the methods of `cls` that it calls, each once."""
    first = getattr(function, "__func__", function)
    left, seen = [first.__code__] if isinstance(first, FunctionType) else [], set[CodeType]()
    while left:
        code = left.pop()
        if code in seen:
            continue
        seen.add(code)
        yield code
        left += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
        methods = [getattr(cls, name, None) for name in code.co_names]
        left += [method.__code__ for method in methods if isinstance(method, FunctionType)]
