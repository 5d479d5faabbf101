"""The base class of every settings model."""

from types import UnionType
from typing import Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo

from agent_rl.core.chosen import Chosen


class Settings(BaseModel):
    """Settings of one part, written beside the code that reads them.

    An unknown key is an error, a value never changes after validation, and a field's docstring is its help text.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, protected_namespaces=())


def sections(field: FieldInfo) -> list[type[BaseModel]]:
    """Return the settings classes that a field may hold: several where `name` chooses one, none for a plain value."""
    registered = next((extra for extra in field.metadata if isinstance(extra, Chosen)), None)
    if registered is not None:
        return list(registered.kinds())
    several = get_origin(field.annotation) in (Union, UnionType)
    kinds = get_args(field.annotation) if several else (field.annotation,)
    return [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]


def choice(field: FieldInfo, kind: type[BaseModel]) -> str:
    """Return the name that chooses `kind` where a field may hold several classes, else `""`."""
    return str(kind.model_fields["name"].default) if len(sections(field)) > 1 else ""
