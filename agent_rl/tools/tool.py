"""`@tool`: a typed function, plain or async, becomes something an agent can call."""

import dataclasses
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ValidationError

from agent_rl.core.context import count
from agent_rl.core.message import Message, ToolCall, tool_result
from agent_rl.tools.calls import answered
from agent_rl.tools.policy import ToolPolicy
from agent_rl.tools.schema import arguments_of, first_paragraph, parameters, problems


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
        function = {"name": self.name, "description": self.description, "parameters": parameters(self.arguments)}
        return {"type": "function", "function": function}

    async def call(self, call: ToolCall) -> Message:
        """Validate the arguments of `call`, run the function as its policy says and return the tool message.

        Wrong arguments are the policy's doing: it gets a message it can learn from. A time-out, a connection that
        fails, or an `InfrastructureError` from the function ends the episode without a reward, unless another attempt
        mends it; any other exception is a failure of the environment.
        """
        count(f"tools/{self.name}/calls")
        try:
            values = self.arguments.model_validate_json(call["function"]["arguments"])
        except ValidationError as error:
            count(f"tools/{self.name}/errors")
            return tool_result(f"Error: {problems(error, self.arguments)}", call)
        return tool_result(str(await answered(self.name, self.function, values, self.policy)), call)


def tool(
    function: Callable[..., Any] | None = None, *, name: str | None = None, policy: ToolPolicy | None = None
) -> Any:
    """Declare a function or method as a tool: `@tool` or `@tool(policy=ToolPolicy(timeout=5))`.

    The name and the docstring's first paragraph describe it to the model; the type hints become the schema. A parameter
    is described by `Annotated[str, "text"]` or a `Field`, or else by the docstring's section `Args:`.

    Raises:
        TypeError: A parameter has no type hint, begins with an underscore, or takes any number of values.
    """
    if function is None:
        return lambda decorated: tool(decorated, name=name, policy=policy)
    description = first_paragraph(function.__doc__ or "")
    return Tool(name or function.__name__, description, arguments_of(function), function, policy or ToolPolicy())
