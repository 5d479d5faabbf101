"""Rows of data files: JSONL, JSON and parquet."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent_rl.core.errors import UserError

Row = dict[str, Any]
KINDS = (".jsonl", ".parquet", ".json")


def numbered_rows(file: Path) -> Iterator[tuple[int, Any]]:
    """Yield the rows of a file with their numbers, from 1; of JSONL the lines', of which empty ones are passed over.

    Raises:
        UserError: The file is not there, is of another kind, cannot be read, or a line is not JSON.
    """
    if file.suffix not in KINDS:
        raise UserError(f"{file} is not a {', '.join(KINDS[:-1])} or {KINDS[-1]} file")
    if not file.is_file():
        raise UserError(f"there is no file {file}")
    if file.suffix == ".parquet":
        yield from enumerate(_parquet(file), start=1)
        return
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read: {error}") from error
    if file.suffix == ".json":
        yield from enumerate(_listed(text, file), start=1)
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, _value(line, f"{file}, line {number}")


def read_rows(file: Path) -> list[Row]:
    """Return the rows of a file, in their order.

    Raises:
        UserError: As `numbered_rows`, or a row is no object.
    """
    rows = [row for _, row in numbered_rows(file)]
    if not all(isinstance(row, dict) for row in rows):
        raise UserError(f"{file} does not hold a list of objects")
    return rows


def _value(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: not JSON: {error}") from error


def _listed(text: str, file: Path) -> list[Any]:
    rows = _value(text, str(file))
    if not isinstance(rows, list):
        raise UserError(f"{file} does not hold a list of objects")
    return rows


def _parquet(file: Path) -> list[Row]:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import read_table
    except ImportError as error:
        raise UserError(f"{file}: reading parquet needs pyarrow: pip install 'agent-rl[parquet]'") from error
    try:
        rows: list[Row] = read_table(file).to_pylist()
    except (OSError, ArrowException) as error:
        raise UserError(f"{file} cannot be read: {error}") from error
    return rows
