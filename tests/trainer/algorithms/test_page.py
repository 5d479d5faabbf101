"""The page docs/algorithms.md is what the files of the algorithms say: formula, paper, settings, test, presets.

`python -m tests.trainer.algorithms.test_page` writes what is between its two marks.
"""

from collections.abc import Iterator
from inspect import getdoc
from pathlib import Path
from sys import modules
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from agent_rl.cli.list import listing
from agent_rl.config.compose import PRESETS
from agent_rl.core.registry import Registry
from agent_rl.trainer.algorithms import (
    ADVANTAGES,
    LOSSES,
    AlgorithmSettings,
    aggregation,
    correction,
    filtration,
    kl,
    overlong,
    process,
    supervised,
    values,
)

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "algorithms.md"
START, END = "<!-- written from the files -->\n", "<!-- end of what is written -->\n"
KINDS: dict[str, tuple[str, Registry[type[Any]]]] = {
    "advantage": ("Estimators of advantages", ADVANTAGES),
    "loss": ("Policy losses", LOSSES),
}


def shipped(registry: Registry[type[Any]]) -> dict[str, dict[str, type[BaseModel]]]:
    """Return the classes of this package by module and name; other tests may have registered more."""
    found: dict[str, dict[str, type[BaseModel]]] = {}
    for name in registry:
        if registry[name].__module__.startswith("agent_rl."):
            found.setdefault(registry[name].__module__, {})[name] = registry[name]
    return found


def where_proved(module: str) -> Path:
    return Path(__file__).parent / f"test_{module.rpartition('.')[2]}.py"


def settings(kind: type[BaseModel], prefix: str) -> list[str]:
    """Return the table of the fields of a class, but its name; nothing where there are none."""
    found = list(rows(kind, prefix))
    return ["", "| setting | default | |", "| --- | --- | --- |", *found] if found else []


def rows(kind: type[BaseModel], prefix: str) -> Iterator[str]:
    """Yield a row for each field of a class, and for those of a section that has no choice of classes."""
    for name, field in kind.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if isinstance(default, BaseModel) and "name" not in type(default).model_fields:
            yield from rows(type(default), f"{prefix}{name}.")
        elif name != "name":
            shown = "" if default is None else f"`{default.name if isinstance(default, BaseModel) else default}`"
            yield f"| `{prefix}{name}` | {shown} | {' '.join((field.description or '').split())} |"


def presets_with(key: str, name: str) -> list[str]:
    """Return the presets that choose `name` as their estimator or their loss."""
    found = []
    for file in sorted((PRESETS / "algorithm").glob("*.yaml")):
        written = yaml.safe_load(file.read_text(encoding="utf-8"))
        written = written.get("algorithm", written)
        if written.get(key, {}).get("name") == name:
            found.append(file.stem)
    return found


def entry(key: str, module: str, kinds: dict[str, type[BaseModel]]) -> Iterator[str]:
    """Yield what there is to say of the classes of a file."""
    yield from ["", f"### {', '.join(f'`{name}`' for name in kinds)}", "", getdoc(modules[module]) or ""]
    for name, kind in kinds.items():
        if len(kinds) > 1:
            yield from ["", f"`{name}`: {(kind.__doc__ or '').strip().splitlines()[0]}"]
        yield from settings(kind, f"algorithm.{key}.")
    code = f"{module.replace('.', '/')}.py"
    proof = where_proved(module).relative_to(ROOT)
    links = [f"[{path}](../{path})" for path in (code, proof)]
    chosen = [f"`{preset}`" for name in kinds for preset in presets_with(key, name)]
    yield from ["", f"{links[0]}, proved in {links[1]}; presets: {', '.join(chosen) or 'none'}"]


def body() -> str:
    """Return what is between the marks."""
    lines = ["", "## Presets", "", "| `algorithm=` | |", "| --- | --- |"]
    lines += [f"| `{name}` | {known['description']} |" for name, known in listing()["algorithms"].items()]
    lines += ["", "## What all have", *settings(AlgorithmSettings, "algorithm.")]
    for module in (aggregation, kl, correction, overlong, filtration, supervised, values, process):
        lines += ["", getdoc(module) or ""]
    for key, (title, registry) in KINDS.items():
        lines += ["", f"## {title}"]
        for module, kinds in shipped(registry).items():
            lines += entry(key, module, kinds)
    return "\n".join([*lines, "", ""])


def page(old: str) -> str:
    """Return the page with what is between the marks as the files say it."""
    head, _, rest = old.partition(START)
    return f"{head}{START}{body()}{END}{rest.partition(END)[2]}"


@pytest.mark.parametrize("key", KINDS)
def test_every_file_states_formula_and_paper_and_is_proved_by_a_test(key):
    for module in shipped(KINDS[key][1]):
        text = getdoc(modules[module]) or ""
        assert "\n    " in text and ("arXiv:" in text or "https://" in text), module
        assert where_proved(module).is_file(), module


def test_the_page_says_what_the_files_say():
    text = PAGE.read_text(encoding="utf-8")
    assert text == page(text), "python -m tests.trainer.algorithms.test_page"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
