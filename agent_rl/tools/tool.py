"""`@tool`: a typed function, plain or async, becomes something an agent can call."""

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

from pydantic import BaseModel, ValidationError, create_model

from agent_rl.core.deadlines import waiting_for, within
from agent_rl.core.message import Message, ToolCall, tool_result
from agent_rl.core.outcome import BrokenEnvironmentError, EpisodeError, InfrastructureError
from agent_rl.core.threads import in_thread


@dataclasses.dataclass(frozen=True)
class ToolPolicy:
    """How a tool may be used, declared once at the tool.

    Attributes:
        timeout: Seconds after which a call counts as an infrastructure failure.
        max_chars: Longest output in characters; what is beyond is cut, and the policy sees that it was.
    """

    timeout: float = 20.0
    max_chars: int = 4000


@dataclasses.dataclass(frozen=True)
class Tool:
    """A function with a name, a description and a schema of its arguments.

    As an attribute of a class it binds to the instance like a method.
    """

    name: str
    description: str
    arguments: type[BaseModel]
    function: Callable[..., Any]
    policy: ToolPolicy = dataclasses.field(default_factory=ToolPolicy)

    def __get__(self, instance: object | None, owner: type) -> "Tool":
        """Return the tool bound to `instance`."""
        if instance is None:
            return self
        bound = self.function.__get__(instance, owner)
        return Tool(self.name, self.description, self.arguments, bound, self.policy)

    def schema(self) -> dict[str, Any]:
        """Return the tool in the OpenAI format, for chat templates."""
        function = {"name": self.name, "description": self.description, "parameters": _parameters(self.arguments)}
        return {"type": "function", "function": function}

    async def call(self, call: ToolCall) -> Message:
        """Validate the arguments of `call`, run the function and return the tool message.

        Wrong arguments are the policy's doing: it gets a message it can learn from. A time-out, or an
        `InfrastructureError` from the function, ends the episode without a reward; any other exception is a failure of
        the environment.
        """
        try:
            values = self.arguments.model_validate_json(call["function"]["arguments"])
        except ValidationError as error:
            return tool_result(f"Error: {_first_problem(error)}", call)
        arguments = {name: getattr(values, name) for name in type(values).model_fields}
        try:
            with waiting_for(self.name):
                result = await within(self.policy.timeout, self._run(arguments))
        except EpisodeError:
            raise
        except TimeoutError as error:
            raise InfrastructureError(self.name, f"no answer within {self.policy.timeout:g} s") from error
        except Exception as error:
            raise BrokenEnvironmentError(self.name, f"{type(error).__name__}: {error}") from error
        return tool_result(_cut(str(result), self.policy.max_chars), call)

    async def _run(self, arguments: dict[str, Any]) -> Any:
        if inspect.iscoroutinefunction(self.function):
            return await self.function(**arguments)
        return await in_thread(lambda: self.function(**arguments))


def tool(
    function: Callable[..., Any] | None = None, *, name: str | None = None, policy: ToolPolicy | None = None
) -> Any:
    """Declare a function or method as a tool: `@tool` or `@tool(policy=ToolPolicy(timeout=5))`.

    The name and the docstring's first paragraph describe it to the model; the type hints become the schema.

    Raises:
        TypeError: A parameter has no type hint, begins with an underscore, or takes any number of values.
    """
    if function is None:
        return lambda decorated: tool(decorated, name=name, policy=policy)
    description = inspect.cleandoc(function.__doc__ or "").split("\n\n")[0].replace("\n", " ")
    return Tool(name or function.__name__, description, _arguments_of(function), function, policy or ToolPolicy())


def _arguments_of(function: Callable[..., Any]) -> type[BaseModel]:
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) or parameter.name.startswith("_"):
            raise TypeError(f"tool {function.__qualname__}: a model cannot give the parameter '{parameter.name}'")
        if parameter.name not in hints:
            raise TypeError(f"tool {function.__qualname__}: parameter '{parameter.name}' needs a type hint")
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        fields[parameter.name] = (hints[parameter.name], default)
    return create_model(f"{function.__name__}_arguments", __config__={"extra": "forbid"}, **fields)


@functools.cache
def _parameters(arguments: type[BaseModel]) -> Any:
    """Return the JSON schema of a tool's arguments; every episode asks for it."""
    return _without_titles(arguments.model_json_schema())


def _without_titles(schema: Any) -> Any:
    """Drop pydantic's generated titles: they cost tokens in every prompt and say nothing."""
    if isinstance(schema, list):
        return [_without_titles(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    dropped = ("title", "additionalProperties")
    kept = {key: value for key, value in schema.items() if key not in dropped or isinstance(value, dict)}
    return {key: _without_titles(value) for key, value in kept.items()}


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, problem["loc"]))
    return f"argument '{where}': {problem['msg']}" if where else problem["msg"]


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]} [cut: {len(text) - limit} more characters]"
