"""`agent-rl new env NAME` and `agent-rl new tool NAME`."""

import argparse
import importlib.util
import keyword
import re
import tokenize
from pathlib import Path

from agent_rl.core.errors import UserError
from agent_rl.envs import ENVIRONMENTS

_DESCRIPTION = """Example: agent-rl new env bakery

Writes a folder with an environment or a tool, its test and a README, all of which works at once and is there to be
changed. With --package it can be installed as well, and is then known by its name."""
_TEMPLATES = Path(__file__).parent / "templates"
_FILES = ("{name}.py", "test_{name}.py", "README.md")
_PACKAGE = "pyproject.toml"


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.description = _DESCRIPTION
    parser.add_argument("kind", choices=["env", "tool"], help="what to write")
    parser.add_argument("name", metavar="NAME", help="lower case, words joined by underscores; the folder's name too")
    parser.add_argument("--package", action="store_true", help="write a pyproject.toml with the entry point as well")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the folder, and say what to type next."""
    kind, name = arguments.kind, arguments.name
    _refuse_bad(kind, name)
    for file in _write(kind, name, package=arguments.package):
        print(f"written: {file}")
    place = f"{name}/{name}.py:{_identifier(kind, name)}"
    commands = [f"pip install -e {name}"] if arguments.package else []
    commands.append(f"pytest {name}")
    if kind == "env":
        commands += [f"agent-rl check env={place}", f"agent-rl train env={place} trainer.steps=20"]
    for number, command in enumerate(commands):
        print(f"{'next:' if number == 0 else '':<8} {command}")
    return 0


def _refuse_bad(kind: str, name: str) -> None:
    """Raise `UserError` for a name that Python or a registry could not tell from another."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise UserError(
            f"'{name}' cannot be a name: it must begin with a lower-case letter, and have only those, digits and "
            "underscores"
        )
    if Path(name).exists():
        raise UserError(f"{name} exists already")
    if kind == "env" and name in ENVIRONMENTS:
        raise UserError(f"there is an environment '{name}' already")
    if keyword.iskeyword(name) or importlib.util.find_spec(name) or _identifier(kind, name) in _identifiers(kind):
        raise UserError(f"'{name}' cannot be a name: it would stand for two things in the code")


def _write(kind: str, name: str, package: bool) -> list[Path]:
    """Write the template of `kind` under its new name; return the files."""
    sample = f"my_{kind}"
    written = []
    try:
        Path(name).mkdir()
        for file in (*_FILES, _PACKAGE) if package else _FILES:
            text = (_TEMPLATES / kind / file.format(name=sample)).read_text(encoding="utf-8")
            text = text.replace(_identifier("env", sample), _identifier("env", name)).replace(sample, name)
            written.append(Path(name, file.format(name=name)))
            written[-1].write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"the folder {name} cannot be written: {error.strerror}") from error
    return written


def _identifier(kind: str, name: str) -> str:
    """Return what the code calls the thing: an environment is a class."""
    return "".join(word.capitalize() for word in name.split("_")) if kind == "env" else name


def _identifiers(kind: str) -> set[str]:
    """Return the names that the code of a template uses."""
    names = set()
    for file in (_TEMPLATES / kind).glob("*.py"):
        with tokenize.open(file) as code:
            names |= {token.string for token in tokenize.generate_tokens(code.readline) if token.type == tokenize.NAME}
    return names
