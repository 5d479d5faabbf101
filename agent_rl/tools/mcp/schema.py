"""Arguments that a JSON schema describes, where a tool has no Python function to describe them."""

from typing import Any, ClassVar, cast

import jsonschema
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from pydantic import BaseModel, model_validator
from pydantic_core import PydanticCustomError
from referencing import Registry
from referencing.exceptions import Unresolvable

from agent_rl.core.outcome import InfrastructureError


class SchemaArguments(BaseModel):
    """The arguments of one call, checked against the schema of the class."""

    described: ClassVar[dict[str, Any]]
    validator: ClassVar[Validator]
    arguments: dict[str, Any]

    @model_validator(mode="before")
    @classmethod
    def _checked(cls, given: Any) -> dict[str, Any]:
        try:
            errors = list(cls.validator.iter_errors(given))
        except Unresolvable as error:
            raise PydanticCustomError(
                "schema", "{problem}", {"problem": f"the tool's schema has no {error}"}
            ) from error
        if errors:
            raise PydanticCustomError("schema", "{problem}", {"problem": _problem(errors)})
        return {"arguments": given}

    @classmethod
    def model_json_schema(cls, *_: Any, **__: Any) -> dict[str, Any]:
        """Return the schema as it was given."""
        return cls.described


def arguments_of(name: str, schema: dict[str, Any], source: str) -> type[SchemaArguments]:
    """Return a class of arguments that `schema` describes.

    Raises:
        InfrastructureError: It is no JSON schema of an object.
    """
    kind = validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        kind.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise InfrastructureError(source, f"the arguments of '{name}' have no valid schema: {error.message}") from error
    # An empty registry: a schema that refers to some address must not make this process fetch it.
    described = {"validator": kind({"type": "object", **schema}, registry=Registry()), "described": schema}
    return cast(type[SchemaArguments], type(f"{name}_arguments", (SchemaArguments,), described))


def _problem(errors: list[jsonschema.ValidationError]) -> str:
    worst = jsonschema.exceptions.best_match(errors)
    where = ".".join(map(str, worst.absolute_path))
    return f"argument '{where}': {worst.message}" if where else worst.message
