"""What a model is told of a tool, and what it is told when it calls it wrongly."""

import functools
import inspect
import re
from collections.abc import Callable
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import BaseModel, Field, ValidationError, create_model
from pydantic.fields import FieldInfo

from agent_rl.core.errors import nearest

_NAMED = 3  # problems of one call that its answer names
_LONGEST = 60  # characters of a name that the model made up
_SECTION = re.compile(r"^\s*(Args|Arguments|Parameters):\s*$")
_ENTRY = re.compile(r"^(\s*)\*{0,2}(\w+)\s*(?:\([^)]*\))?:\s*(.*)$")


def arguments_of(function: Callable[..., Any]) -> type[BaseModel]:
    """Return a model of the parameters of `function`, described by their annotations or else by its docstring.

    Raises:
        TypeError: A parameter has no type hint, begins with an underscore, or takes any number of values.
    """
    hints = get_type_hints(function, include_extras=True)
    texts = described_arguments(function.__doc__ or "")
    fields: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) or parameter.name.startswith("_"):
            raise TypeError(f"tool {function.__qualname__}: a model cannot give the parameter '{parameter.name}'")
        if parameter.name not in hints:
            raise TypeError(f"tool {function.__qualname__}: parameter '{parameter.name}' needs a type hint")
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        fields[parameter.name] = (_described(hints[parameter.name], texts.get(parameter.name)), default)
    return create_model(f"{function.__name__}_arguments", __config__={"extra": "forbid"}, **fields)


def _described(hint: Any, text: str | None) -> Any:
    """Return the type `hint` with a description: its own, as plain text or in a `Field`, or else `text`."""
    extras = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    if any(isinstance(extra, FieldInfo) and extra.description for extra in extras):
        return hint
    own = next((extra for extra in extras if isinstance(extra, str)), text)
    return Annotated[hint, Field(description=own)] if own else hint


def first_paragraph(docstring: str) -> str:
    """Return the first paragraph of a docstring on one line."""
    return inspect.cleandoc(docstring).split("\n\n")[0].replace("\n", " ")


def described_arguments(docstring: str) -> dict[str, str]:
    """Return what the section `Args:` of a Google docstring says of each parameter, on one line each."""
    lines = inspect.cleandoc(docstring).splitlines()
    start = next((number for number, line in enumerate(lines) if _SECTION.match(line)), len(lines))
    texts: dict[str, list[str]] = {}
    entries = name = ""
    for line in lines[start + 1 :]:
        if line.strip() and not line[0].isspace():
            break  # the next section
        entry = _ENTRY.match(line)
        if entry and (not texts or entry[1] == entries):
            entries, name = entry[1], entry[2]
            texts[name] = [entry[3]]
        elif name:
            texts[name].append(line.strip())
    return {name: " ".join(filter(None, text)) for name, text in texts.items()}


@functools.cache
def parameters(arguments: type[BaseModel]) -> Any:
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


def problems(error: ValidationError, arguments: type[BaseModel]) -> str:
    """Return what is wrong with a call in one line: what is missing, what is unknown, then wrong values."""
    found = error.errors(include_url=False, include_input=False)
    known = list(parameters(arguments).get("properties", {}))
    missing = [str(problem["loc"][0]) for problem in found if problem["type"] == "missing" and len(problem["loc"]) == 1]
    unknown = [_short(problem["loc"]) for problem in found if problem["type"] == "extra_forbidden"]
    said = (
        [f"missing argument{'s'[: len(missing) - 1]} " + ", ".join(f"'{name}'" for name in missing)] if missing else []
    )
    said += [f"unknown argument '{name}'{nearest(name, known)}" for name in unknown]
    for problem in found:
        where = _short(problem["loc"])
        if where not in (*missing, *unknown):
            said.append(f"argument '{where}': {problem['msg']}" if where else problem["msg"])
    return "; ".join(said[:_NAMED]) + (f" (there are: {', '.join(known) or 'none'})" if unknown else "")


def _short(place: tuple[str | int, ...]) -> str:
    """Return where a problem lies on one line of bounded length: the model may have written anything."""
    return " ".join(".".join(map(str, place))[:_LONGEST].split())
