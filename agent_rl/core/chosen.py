"""A section of settings whose class is chosen by its `name`, among those that anybody may register."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from agent_rl.core.errors import UserError
from agent_rl.core.modules import run_file
from agent_rl.core.outcome import told
from agent_rl.core.registry import Registry

S = TypeVar("S", bound=BaseModel)


class Chosen(Generic[S]):
    """Annotates a field: `Annotated[Advantage, Chosen(Advantage, ADVANTAGES)]` holds one of the registered classes.

    It is given as the name alone, or as a mapping with `name` and the fields of the class that it names. The name may
    be FILE.py:CLASS.
    """

    def __init__(self, base: type[S], registry: Registry[type[S]]) -> None:
        """Choose among the classes of `registry`, or those of a user's file that are a `base`."""
        self.base, self.registry = base, registry

    def kinds(self) -> Iterator[type[S]]:
        """Yield the classes there are."""
        for name in self.registry:
            yield self.registry[name]

    def read(self, given: Any) -> S:
        """Return what is meant.

        Raises:
            UserError: There is no class of that name.
            ValidationError: A field is unknown or wrong.
        """
        if isinstance(given, BaseModel):
            return given  # type: ignore[return-value]
        values = {"name": given} if isinstance(given, str) else given
        if not isinstance(values, Mapping) or not isinstance(values.get("name"), str):
            raise ValueError(f"needs a name (there are: {', '.join(self.registry)})")
        return self._class(values["name"]).model_validate(dict(values))

    def _class(self, name: str) -> type[S]:
        path, colon, attribute = name.partition(".py:")
        if not colon:
            return self.registry[name]
        file, kind = Path(f"{path}.py"), self.registry.kind
        if not file.is_file():
            raise UserError(f"{kind} '{name}': there is no Python file {file}")
        try:
            found = getattr(run_file(file.resolve()), attribute, None)
        except Exception as error:
            raise UserError(f"{kind} '{name}': {file} cannot be run: {told(error)}") from error
        if not (isinstance(found, type) and issubclass(found, self.base)):
            raise UserError(f"{kind} '{name}': {file} has no class '{attribute}' of that kind")
        return found

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Let pydantic read the field by `read`, and write it as its own class says."""
        written = core_schema.plain_serializer_function_ser_schema(
            lambda value, info: value.model_dump(mode=info.mode), info_arg=True
        )
        return core_schema.no_info_plain_validator_function(self.read, serialization=written)
