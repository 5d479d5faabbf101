"""Rows of a data file, and Python objects by their place: what projects of other libraries consist of."""

import functools
import importlib
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from agent_rl.core.errors import UserError, nearest

Row = dict[str, Any]


def read_rows(file: Path) -> list[Row]:
    """Return the rows of a .parquet, .jsonl or .json file, in their order.

    Raises:
        UserError: The file is not there, cannot be read, or is of another kind.
    """
    if file.suffix not in (".parquet", ".jsonl", ".json"):
        raise UserError(f"{file} is not a .parquet, .jsonl or .json file")
    if not file.is_file():
        raise UserError(f"there is no file {file}")
    try:
        if file.suffix == ".parquet":
            return _parquet(file)
        text = file.read_text(encoding="utf-8")
        rows = json.loads(text) if file.suffix == ".json" else [json.loads(line) for line in text.splitlines() if line]
    except (OSError, ValueError) as error:
        raise UserError(f"{file} cannot be read: {error}") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UserError(f"{file} does not hold a list of objects")
    return rows


def _parquet(file: Path) -> list[Row]:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise UserError(f"{file}: reading parquet needs the package pyarrow (pip install pyarrow)") from error
    rows: list[Row] = parquet.read_table(file).to_pylist()
    return rows


def check_split(split: str) -> None:
    """Raise `UserError` unless `split` is "train" or "test"."""
    if split not in ("train", "test"):
        raise UserError(f"unknown split '{split}'{nearest(split, ('train', 'test'))} (there are: train, test)")


def split_rows(split: str, train: list[Row], test: list[Row] | None, held_out: float) -> list[Row]:
    """Return the rows of a split; without rows of its own, "test" is the last `held_out` of the training rows.

    Raises:
        UserError: There is no such split, or there are too few rows to hold one out.
    """
    check_split(split)
    if test is not None:
        return train if split == "train" else test
    held = max(1, round(held_out * len(train)))
    if held >= len(train):
        raise UserError(f"env.data has {len(train)} rows: too few to hold some out for the split 'test'")
    return train[:-held] if split == "train" else train[-held:]


def found(place: str, key: str) -> Any:
    """Return the object at `FILE.py:NAME` or `package.module:NAME`.

    Args:
        place: Where it is.
        key: The setting that says so, for the error.

    Raises:
        UserError: There is no such file, module or name, or the file cannot be run.
    """
    module, _, name = place.rpartition(":")
    if not module:
        raise UserError(f"{key}={place} is not FILE.py:NAME or package.module:NAME")
    try:
        home = _run(Path(module).resolve()) if module.endswith(".py") else importlib.import_module(module)
        return getattr(home, name)
    except Exception as error:  # the user's own code runs here
        raise UserError(f"{key}={place}: {type(error).__name__}: {error}") from error


@functools.cache
def _run(file: Path) -> ModuleType:
    """Run a Python file once, as a module that sees its neighbours."""
    spec = importlib.util.spec_from_file_location(f"agent_rl_user_{file.stem}", file)
    assert spec is not None and spec.loader is not None  # the file ends in .py
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    see(file.parent)
    spec.loader.exec_module(module)
    return module


def see(folder: Path) -> None:
    """Let modules in `folder` be imported, after all others of their name."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
