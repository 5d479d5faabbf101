"""Tools that are declared by a JSON schema rather than by a typed function."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, Field, create_model

from agent_rl.tools import Tool, ToolPolicy

_TYPES: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "array": list[Any],
    "object": dict[str, Any],
    "null": None,
}
_ABSENT: Any = object()


@dataclass(frozen=True)
class SchemaTool(Tool):
    """A tool that shows the schema it was given, word for word."""

    given: dict[str, Any] = field(default_factory=dict)

    def schema(self) -> dict[str, Any]:
        """Return the tool in the OpenAI format, as it was given."""
        return self.given


def schema_tool(
    schema: dict[str, Any], function: Callable[[dict[str, Any]], Awaitable[str]], policy: ToolPolicy | None = None
) -> Tool:
    """Return the tool that `schema` (OpenAI format) describes and `function` answers.

    The types, the choices and the presence of the arguments are checked, what is inside of lists and objects is not.

    Args:
        schema: `{"type": "function", "function": {"name": …, "description": …, "parameters": …}}`.
        function: Receives the arguments that the agent gave, and returns the answer.
        policy: How the tool may be used; left out, the default one.
    """
    described = schema["function"]
    parameters: dict[str, Any] = described.get("parameters") or {}
    names = list(parameters.get("properties") or {})

    async def call(**given: Any) -> str:
        # Pydantic forbids some names of fields that a schema may have, so that they are numbered.
        return await function({names[int(key[1:])]: value for key, value in given.items() if value is not _ABSENT})

    model = _model(parameters, names)
    return SchemaTool(described["name"], described.get("description", ""), model, call, policy or ToolPolicy(), schema)


def _model(parameters: dict[str, Any], names: list[str]) -> type[BaseModel]:
    required = parameters.get("required") or []
    fields: dict[str, Any] = {
        f"a{i}": (_type(parameters["properties"][name]), Field(... if name in required else _ABSENT, alias=name))
        for i, name in enumerate(names)
    }
    return create_model("arguments", __config__={"extra": "forbid"}, **fields)


def _type(schema: dict[str, Any]) -> Any:
    choices = schema.get("enum")
    if choices and all(isinstance(choice, str | int | bool) for choice in choices):
        return Literal[tuple(choices)]
    named = schema.get("type")
    kinds = [_TYPES.get(str(name), Any) for name in (named if isinstance(named, list) else [named])]
    union = kinds[0]
    for kind in kinds[1:]:
        union = union | kind
    return union
