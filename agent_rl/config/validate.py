"""Validation: a dictionary becomes a settings object, or the user reads one clear line."""

from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from agent_rl.core.errors import UserError, nearest
from agent_rl.core.settings import choice, sections
from agent_rl.envs.registration import environment
from agent_rl.envs.section import EnvSection, written

M = TypeVar("M", bound=BaseModel)


def validate(model: type[M], values: dict[str, Any]) -> M:
    """Return `values` as `model`.

    Raises:
        UserError: A key is unknown (the nearest right one is named), or a value is wrong.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise UserError(
            "; ".join(dict.fromkeys(_problem(problem, model, values) for problem in error.errors()))
        ) from error


def keys(model: type[BaseModel], prefix: str = "", values: dict[str, Any] | None = None) -> Iterator[str]:
    """Yield every key of a settings class with its sections, as they are written on the command line.

    Where a section may be of several classes, those that `values` does not choose are left out.
    """
    for name, field in model.model_fields.items():
        given = (values or {}).get(name)
        chosen = given.get("name") if isinstance(given, dict) else None
        kinds = sections(field)
        for kind in kinds:
            if chosen is None or choice(field, kind) in ("", chosen):
                yield from keys(kind, f"{prefix}{name}.", given if isinstance(given, dict) else None)
        if not kinds:
            yield prefix + name


def _problem(problem: Any, model: type[BaseModel], values: dict[str, Any]) -> str:
    key = ".".join(_written(model, problem["loc"]))
    if problem["type"] == "extra_forbidden":
        if key in keys(model):
            section = key.partition(".")[0]
            return f"'{key}' has no effect with {section}={values[section]['name']}"
        known = [*keys(model, values=values), *_environment_keys(model, values)]
        return _unknown(key, problem.get("input"), known)
    given = problem.get("input")
    shown = "" if isinstance(given, dict) else f" (got {given!r})"
    said = problem["msg"].removeprefix("Value error, ")
    if problem["type"] in ("tuple_type", "list_type"):
        said = "input should be a list, written [A,B]"
    return (f"{key}: " if key else "") + f"{said[:1].lower()}{said[1:]}{shown}"


def _unknown(key: str, given: Any, known: list[str]) -> str:
    """Name the unknown key; one below it where that alone is like a known one: `eval.tasks` for `tasks`."""
    names = [*known, *dict.fromkeys(name.rpartition(".")[0] for name in known if "." in name)]
    for wrong in (key, *_below(key, given)):
        if hint := nearest(wrong, names):
            return f"unknown key '{wrong}'{hint}"
    return f"unknown key '{key}'"


def _below(key: str, given: Any) -> Iterator[str]:
    for name, value in given.items() if isinstance(given, dict) else ():
        yield f"{key}.{name}"
        yield from _below(f"{key}.{name}", value)


def _written(model: type[BaseModel], place: tuple[str | int, ...]) -> Iterator[str]:
    """Yield the parts of a key as it is written: pydantic puts the name of a chosen class between them."""
    kinds: list[type[BaseModel]] = [model]
    field: FieldInfo | None = None
    for part in place:
        chosen = [kind for kind in kinds if field is not None and choice(field, kind) == part]
        if chosen:
            kinds = chosen
            continue
        yield str(part)
        field = next((kind.model_fields[str(part)] for kind in kinds if str(part) in kind.model_fields), None)
        kinds = sections(field) if field is not None else []


def _environment_keys(model: type[BaseModel], values: dict[str, Any]) -> Iterator[str]:
    section = values.get("env")
    if "env" in model.model_fields and isinstance(section, dict):
        name = written(section.get("name", EnvSection().name))
        yield from keys(environment(name).settings_class(), "env.")
