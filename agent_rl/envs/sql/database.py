"""Databases made from a seed, and reading them with queries that anybody, or anything, may have written."""

import functools
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from random import Random
from typing import Any

from agent_rl.envs.sql.themes import NAMES, THEMES, Table, Theme

LONGEST = 4000
"""Characters of a query."""
LARGEST = 1000
"""Bytes of a value, and of a row."""
STEPS = 500_000
"""Steps of SQLite's machine that a query may take. Counted, not timed: the answer is the same on every machine."""
_EVERY = 1000
_PARTS = 3
"""Rows of the second table for one of the first, on average."""

Row = tuple[Any, ...]

_ALLOWED = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE)
# None of these makes anything large out of nothing, looks outside the database or differs from call to call.
_FUNCTIONS = """
    abs avg cast char coalesce count cume_dist dense_rank first_value format glob group_concat hex ifnull iif
    instr lag last_value lead length like lower ltrim max min nth_value ntile nullif percent_rank printf quote
    rank replace round row_number rtrim sign sqrt substr substring sum total trim typeof unicode upper
"""
_ALLOWED_FUNCTIONS = frozenset(_FUNCTIONS.split())


class QueryError(Exception):
    """A query that cannot be answered; the text is for the one who wrote it."""


class Database:
    """A small database in memory, of two tables that belong together. It never changes once it is made.

    Every query works on a connection of its own, so that queries side by side do not meet.
    """

    def __init__(self, seed: int) -> None:
        """Make the tables and rows that belong to `seed`."""
        rng = Random(seed)
        self.theme = _narrowed(rng.choice(THEMES), rng)
        self.owners = rng.randint(8, 16)
        self.schema = [_definition(self.theme.owners), _definition(self.theme.parts, self.theme.key)]
        with closing(sqlite3.connect(":memory:")) as connection:
            for statement in self.schema:
                connection.execute(statement)
            self._fill(connection, rng)
            connection.commit()
            self._image = connection.serialize()

    def ask(self, query: str, rows: int) -> tuple[list[str], list[Row], bool]:
        """Answer a query.

        Args:
            query: One statement that reads.
            rows: The most rows that are wanted.

        Returns:
            The names of the columns, the rows, and whether there were more rows.

        Raises:
            QueryError: It is wrong, writes, or does too much.
        """
        if len(query) > LONGEST:
            raise QueryError(f"the query is longer than {LONGEST} characters")
        with self._guarded() as connection:
            try:
                cursor = connection.execute(query)
                found = cursor.fetchmany(rows + 1)
            except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
                raise QueryError(_explained(error)) from error
            names = [column[0] for column in cursor.description or ()]
        return names, found[:rows], len(found) > rows

    @contextmanager
    def _guarded(self) -> Iterator[sqlite3.Connection]:
        """Open the database so that it can only be read, within bounds of work and size."""
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.deserialize(self._image)
            connection.execute("PRAGMA temp_store=MEMORY")
            connection.text_factory = lambda data: data.decode(errors="replace")
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST)
            connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
            connection.setlimit(sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 100)
            connection.setlimit(sqlite3.SQLITE_LIMIT_COMPOUND_SELECT, 20)
            connection.set_progress_handler(_Budget(STEPS // _EVERY).spent, _EVERY)
            connection.set_authorizer(_authorize)
            yield connection

    def _fill(self, connection: sqlite3.Connection, rng: Random) -> None:
        names = rng.sample(NAMES, self.owners)
        owners = [(i + 1, name, *_values(self.theme.owners, rng)) for i, name in enumerate(names)]
        _insert(connection, self.theme.owners.name, owners)
        count = _PARTS * self.owners
        parts = [(i + 1, rng.randint(1, self.owners), *_values(self.theme.parts, rng)) for i in range(count)]
        _insert(connection, self.theme.parts.name, parts)


class _Budget:
    """Counts down; `spent` is true when nothing is left."""

    def __init__(self, left: int) -> None:
        self._left = left

    def spent(self) -> bool:
        self._left -= 1
        return self._left < 0


@functools.lru_cache(maxsize=256)
def database(seed: int) -> Database:
    """Return the database of a seed; those used last are kept, for the episodes of a group share theirs."""
    return Database(seed)


def _authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    """Say to SQLite whether a statement may do `action`: read and compute, and nothing else."""
    function = action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in _ALLOWED_FUNCTIONS
    return sqlite3.SQLITE_OK if action in _ALLOWED or function else sqlite3.SQLITE_DENY


def _explained(error: Exception) -> str:
    text = " ".join(str(error).split())[:200]
    if text == "interrupted":
        return "the query takes too long"
    if "not authorized" in text or "prohibited" in text:
        return f"only reading is allowed ({text})"
    return text


def _narrowed(theme: Theme, rng: Random) -> Theme:
    """Return the theme with some of its columns, so that no two databases need be alike."""
    return Theme(_some_columns(theme.owners, rng), _some_columns(theme.parts, rng), theme.key)


def _some_columns(table: Table, rng: Random) -> Table:
    words = rng.sample(sorted(table.words), rng.randint(1, len(table.words)))
    numbers = rng.sample(sorted(table.numbers), rng.randint(1, len(table.numbers)))
    return Table(table.name, {w: table.words[w] for w in words}, {n: table.numbers[n] for n in numbers})


def _definition(table: Table, key: str = "") -> str:
    first = f"{key} INTEGER" if key else "name TEXT"
    columns = ["id INTEGER PRIMARY KEY", first]
    columns += [f"{word} TEXT" for word in table.words] + [f"{number} INTEGER" for number in table.numbers]
    return f"CREATE TABLE {table.name} ({', '.join(columns)})"


def _values(table: Table, rng: Random) -> list[str | int]:
    return [rng.choice(words) for words in table.words.values()] + [rng.randint(*n) for n in table.numbers.values()]


def _insert(connection: sqlite3.Connection, table: str, rows: Sequence[Row]) -> None:
    places = ", ".join("?" * len(rows[0]))
    connection.executemany(f"INSERT INTO {table} VALUES ({places})", rows)
