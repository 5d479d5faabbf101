"""Questions on a database, each made together with the query that answers it."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Literal, get_args

from agent_rl.envs.sql.database import Database, QueryError, Row
from agent_rl.envs.sql.themes import Table

Kind = Literal["filter", "aggregate", "join", "group", "order", "nested"]
KINDS: tuple[Kind, ...] = get_args(Kind)
LEVELS: dict[Kind, int] = {"filter": 1, "aggregate": 1, "join": 2, "group": 2, "order": 2, "nested": 3}
MOST = 8
"""Rows that an answer may have."""
_TRIES = 8
_FUNCTIONS = {"AVG": "average", "SUM": "total", "MIN": "lowest", "MAX": "highest"}


@dataclass(frozen=True)
class Question:
    """A question, its gold query, and whether the order of the answer matters."""

    text: str
    query: str
    ordered: bool = False


def ask(kind: Kind, database: Database, rng: Random) -> tuple[Question, list[Row]] | None:
    """Return a question of a kind and the rows that answer it, between one and `MOST` and none of them empty.

    None when no such question was found: a small database may have none.
    """
    for _ in range(_TRIES):
        question = _MAKERS[kind](database, rng)
        rows = _answer(question, database)
        if rows and (not question.ordered or _decided(question, rows, database)):
            return question, rows
    return None


def _answer(question: Question, database: Database) -> list[Row]:
    _, rows, more = database.ask(question.query, MOST)
    return [] if more or any(value is None for row in rows for value in row) else rows


def _decided(question: Question, rows: list[Row], database: Database) -> bool:
    """Return whether no two rows tie, so that there is one right order and one right end of it."""
    ranked, _, limit = question.query.rpartition(" LIMIT ")
    key = ranked.rpartition(" ORDER BY ")[2].rpartition(" ")[0]
    head, _, _ = ranked.rpartition(" ORDER BY ")
    ties = f"SELECT {key} AS k FROM {head.partition(' FROM ')[2]} ORDER BY k {ranked.rpartition(' ')[2]}"
    try:
        _, keys, _ = database.ask(f"{ties} LIMIT {int(limit) + 1}", int(limit) + 1)
    except QueryError:
        return False
    return len(set(keys)) == len(keys) and len(rows) == int(limit)


def _filter(database: Database, rng: Random) -> Question:
    owners = database.theme.owners
    word, value = _word(owners, rng)
    number, bound, more = _bound(owners, rng)
    text = f"Which {owners.name} have {word} '{value}' and {number} {'above' if more else 'below'} {bound}? Give names."
    condition = f"{word} = '{value}' AND {number} {'>' if more else '<'} {bound}"
    return Question(text, f"SELECT name FROM {owners.name} WHERE {condition}")


def _aggregate(database: Database, rng: Random) -> Question:
    table = rng.choice((database.theme.owners, database.theme.parts))
    word, value = _word(table, rng)
    where = f"FROM {table.name} WHERE {word} = '{value}'"
    if rng.random() < 0.25:
        return Question(f"How many {table.name} have {word} '{value}'?", f"SELECT COUNT(*) {where}")
    function, number = rng.choice(list(_FUNCTIONS)), rng.choice(list(table.numbers))
    text = f"What is the {_FUNCTIONS[function]} {number} of the {table.name} that have {word} '{value}'?"
    return Question(text, f"SELECT {function}({number}) {where}")


def _join(database: Database, rng: Random) -> Question:
    owners, parts = database.theme.owners, database.theme.parts
    word, value = _word(parts, rng)
    number, bound, more = _bound(parts, rng)
    text = (
        f"Which {owners.name} have at least one of the {parts.name} with {word} '{value}' and {number} "
        f"{'above' if more else 'below'} {bound}? Give names."
    )
    condition = f"p.{word} = '{value}' AND p.{number} {'>' if more else '<'} {bound}"
    return Question(text, f"SELECT DISTINCT o.name {_joined(database)} WHERE {condition}")


def _group(database: Database, rng: Random) -> Question:
    owners, parts = database.theme.owners, database.theme.parts
    word = rng.choice(list(owners.words))
    if rng.random() < 0.5:
        text = f"How many {owners.name} are there for each {word} that occurs? Give pairs: {word} = number."
        return Question(text, f"SELECT {word}, COUNT(*) FROM {owners.name} GROUP BY {word}")
    function, number = rng.choice(list(_FUNCTIONS)), rng.choice(list(parts.numbers))
    text = (
        f"For each {word} of the {owners.name}, what is the {_FUNCTIONS[function]} {number} of their {parts.name}? "
        f"Leave out those without {parts.name}. Give pairs: {word} = number."
    )
    return Question(text, f"SELECT o.{word}, {function}(p.{number}) {_joined(database)} GROUP BY o.{word}")


def _order(database: Database, rng: Random) -> Question:
    owners = database.theme.owners
    number, count = rng.choice(list(owners.numbers)), rng.randint(2, 4)
    most = rng.random() < 0.5
    text = (
        f"Which {count} {owners.name} have the {'highest' if most else 'lowest'} {number}? "
        f"Give names, the {'highest' if most else 'lowest'} first."
    )
    direction = "DESC" if most else "ASC"
    return Question(text, f"SELECT name FROM {owners.name} ORDER BY {number} {direction} LIMIT {count}", ordered=True)


def _nested(database: Database, rng: Random) -> Question:
    owners, parts, key = database.theme.owners, database.theme.parts, database.theme.key
    if rng.random() < 0.4:
        number = rng.choice(list(owners.numbers))
        text = f"How many {owners.name} have {number} above the average {number} of all {owners.name}?"
        average = f"(SELECT AVG({number}) FROM {owners.name})"
        return Question(text, f"SELECT COUNT(*) FROM {owners.name} WHERE {number} > {average}")
    number = rng.choice(list(parts.numbers))
    sums = f"SELECT SUM({number}) AS s FROM {parts.name} GROUP BY {key}"
    text = (
        f"Take the total {number} of the {parts.name} of each of the {owners.name} that have any. Which {owners.name} "
        f"have a total above the average of these totals? Give names."
    )
    query = (
        f"SELECT o.name {_joined(database)} GROUP BY o.id HAVING SUM(p.{number}) > (SELECT AVG(s) FROM ({sums}) AS t)"
    )
    return Question(text, query)


_MAKERS: dict[Kind, Callable[[Database, Random], Question]] = {
    "filter": _filter,
    "aggregate": _aggregate,
    "join": _join,
    "group": _group,
    "order": _order,
    "nested": _nested,
}


def _joined(database: Database) -> str:
    theme = database.theme
    return f"FROM {theme.owners.name} o JOIN {theme.parts.name} p ON p.{theme.key} = o.id"


def _word(table: Table, rng: Random) -> tuple[str, str]:
    word = rng.choice(list(table.words))
    return word, rng.choice(table.words[word])


def _bound(table: Table, rng: Random) -> tuple[str, int, bool]:
    """Return a column of numbers, a bound within its middle half, and whether more than that is asked for."""
    number = rng.choice(list(table.numbers))
    low, high = table.numbers[number]
    quarter = (high - low) // 4
    return number, rng.randint(low + quarter, high - quarter), rng.random() < 0.5
