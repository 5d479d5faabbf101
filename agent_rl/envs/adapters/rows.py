"""Splits of rows, and Python objects by their place: what projects of other libraries consist of."""

import importlib
from pathlib import Path
from typing import Any

from agent_rl.core.errors import UserError, nearest
from agent_rl.core.modules import run_file
from agent_rl.core.rows import Row


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
        home = run_file(Path(module).resolve()) if module.endswith(".py") else importlib.import_module(module)
        return getattr(home, name)
    except Exception as error:  # the user's own code runs here
        raise UserError(f"{key}={place}: {type(error).__name__}: {error}") from error
