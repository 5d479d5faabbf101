"""Corpora from files, as retrievers of the field keep them."""

import json
from collections.abc import Iterator
from pathlib import Path

from agent_rl.core.errors import UserError


def read_corpus(path: Path) -> list[str]:
    """Return the passages of a file: of each line of a `.jsonl` file its `contents` (or `text`), else each line.

    Raises:
        UserError: The file cannot be read, a line is no such object, or there is no passage.
    """
    try:
        passages = list(_passages(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the corpus {path} cannot be read: {error}") from error
    if not passages:
        raise UserError(f"the corpus {path} has no passages")
    return passages


def _passages(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            yield _contents(line, f"{path}:{number}") if path.suffix == ".jsonl" else line.rstrip("\n")


def _contents(line: str, where: str) -> str:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise UserError(f"{where} is not JSON: {error}") from error
    contents = row.get("contents", row.get("text")) if isinstance(row, dict) else None
    if not isinstance(contents, str):
        raise UserError(f"{where} has no text under 'contents' or 'text'")
    return contents
