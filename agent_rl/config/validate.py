"""Validation: a dictionary becomes a settings object, or the user reads one clear line."""

from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from agent_rl.core.errors import UserError, nearest
from agent_rl.envs.registration import environment
from agent_rl.envs.section import EnvSection

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


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield every key of a settings class with its sections, as they are written on the command line."""
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from keys(inner, f"{prefix}{name}.")
        else:
            yield prefix + name


def _problem(problem: Any, model: type[BaseModel], values: dict[str, Any]) -> str:
    key = ".".join(map(str, problem["loc"]))
    if problem["type"] == "extra_forbidden":
        known = [*keys(model), *_environment_keys(model, values)]
        return f"unknown key '{key}'{nearest(key, known)}"
    given = problem.get("input")
    shown = f" (got {given!r})" if not isinstance(given, dict) else ""
    return f"{key}: {problem['msg'][:1].lower()}{problem['msg'][1:]}{shown}"


def _environment_keys(model: type[BaseModel], values: dict[str, Any]) -> Iterator[str]:
    section = values.get("env")
    if "env" in model.model_fields and isinstance(section, dict):
        name = section.get("name", EnvSection().name)
        yield from keys(environment(name).Settings, "env.")
