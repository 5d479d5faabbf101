"""Tools that a JSON schema describes, where no typed function does: those of MCP servers and of other libraries."""

import functools
import itertools
import json
import re
from typing import Any, ClassVar, Protocol, cast

import jsonschema
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from pydantic import BaseModel, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError
from referencing import Registry
from referencing.exceptions import Unresolvable

from agent_rl.tools.policy import ToolPolicy
from agent_rl.tools.tool import Tool

_MOST = 100  # problems of one call that are looked at
_LONGEST = 200  # characters of one problem: it quotes what the model wrote
_OPEN = {"additionalProperties", "patternProperties", "unevaluatedProperties", "$ref", "allOf", "anyOf", "oneOf", "if"}
"""Words of a schema by which it may allow arguments that are not among its `properties`, or says that it does not."""

_NAMING = (("required",), ("additionalProperties",))
"""The rules of a schema that the names of its arguments break."""


class Answering(Protocol):
    """What answers the calls of a tool."""

    async def __call__(self, arguments: dict[str, Any]) -> str:
        """Return the answer to the arguments that the agent gave, checked against the schema."""


def schema_tool(described: dict[str, Any], function: Answering, policy: ToolPolicy | None = None) -> Tool:
    """Return the tool that `described` (a function in the OpenAI format) describes and `function` answers.

    The arguments are checked against the whole schema. One that a schema does not name is wrong, unless the schema says
    of its own what else it allows.

    Args:
        described: `{"name": …, "description": …, "parameters": …}`, where `parameters` is the JSON schema of an object;
            a tool without them takes no arguments.
        function: Receives the arguments as the agent gave them, and returns the answer.
        policy: How the tool may be used; left out, the default one.

    Raises:
        ValueError: The parameters are no valid schema.
    """
    parameters = described.get("parameters") or {"type": "object", "properties": {}}
    arguments = _arguments_of(described["name"], json.dumps(parameters))
    return Tool(described["name"], described.get("description") or "", arguments, function, policy or ToolPolicy())


class _Arguments(BaseModel):
    """The arguments of one call, checked against the schema of the class."""

    described: ClassVar[dict[str, Any]]
    validator: ClassVar[Validator]
    arguments: dict[str, Any]

    @model_validator(mode="before")
    @classmethod
    def _checked(cls, given: Any) -> dict[str, Any]:
        try:
            found = list(itertools.islice(cls.validator.iter_errors(given), _MOST))
            wrong = _problems(found)
        except Unresolvable as error:
            wrong = [_said(f"the tool's schema has no {error}")]
        except (OverflowError, RecursionError):  # so that whoever calls the tool is at fault, and nobody else
            wrong = [_said("a number is too large, or something nests too deep")]
        if wrong:
            raise ValidationError.from_exception_data(cls.__name__, wrong)
        return {"arguments": given}

    @classmethod
    def model_json_schema(cls, *_: Any, **__: Any) -> dict[str, Any]:
        """Return the schema as it was given."""
        return cls.described


@functools.lru_cache(maxsize=1024)
def _arguments_of(name: str, written: str) -> type[BaseModel]:
    """Return the class of a schema, written as JSON; some environments ask for theirs in every episode."""
    schema = json.loads(written)
    kind = validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        kind.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise ValueError(f"the arguments of '{name}' have no valid schema: {error.message}") from error
    closed = {"additionalProperties": False} if "properties" in schema and not _OPEN & schema.keys() else {}
    # An empty registry: a schema that refers to some address must not make this process fetch it.
    validator = kind({"type": "object", **closed, **schema}, registry=Registry())
    return cast(
        type[BaseModel], type(f"{name}_arguments", (_Arguments,), {"validator": validator, "described": schema})
    )


def _problems(found: list[jsonschema.ValidationError]) -> list[InitErrorDetails]:
    """Return errors in pydantic's words: for names that are missing or unknown those that a typed tool has."""
    by_rule = {tuple(error.schema_path): error for error in found}
    wrong: list[InitErrorDetails] = []
    if error := by_rule.get(("required",)):
        names = [name for name in error.validator_value if name not in error.instance]
        wrong += [InitErrorDetails(type="missing", loc=(name,), input=None) for name in names]
    if error := by_rule.get(("additionalProperties",)):
        patterns = error.schema.get("patternProperties", {})
        names = [name for name in error.instance if not any(re.search(pattern, name) for pattern in patterns)]
        names = [name for name in names if name not in error.schema.get("properties", {})]
        wrong += [InitErrorDetails(type="extra_forbidden", loc=(name,), input=None) for name in names]
    others = [error for error in found if tuple(error.schema_path) not in _NAMING]
    worst = [jsonschema.exceptions.best_match([error]) for error in others]
    return wrong + [_said(error.message, *error.absolute_path) for error in worst]


def _said(problem: str, *place: str | int) -> InitErrorDetails:
    short = problem if len(problem) <= _LONGEST else f"{problem[:_LONGEST]} …"
    return InitErrorDetails(type=PydanticCustomError("schema", "{problem}", {"problem": short}), loc=place, input=None)
