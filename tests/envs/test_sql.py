"""The environment `sql`: gold queries, answers as values, and queries that mean harm."""

import resource
import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_rl import make
from agent_rl.core.message import assistant, tool_call
from agent_rl.envs.sql.answers import matches, written
from agent_rl.envs.sql.database import Database, QueryError, database
from agent_rl.envs.sql.questions import KINDS

RECURSIVE = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM r)"


def few(**chosen: object):
    return make("sql", train_tasks=60, test_tasks=50, **chosen)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_question_has_a_gold_query_that_gives_its_answer(kind):
    for task in few(kinds=[kind]).tasks("test"):
        _, rows, more = database(task.data["database"]).ask(task.data["query"], 20)
        assert (rows, more) == ([tuple(row) for row in task.data["rows"]], False)
        assert matches(task.answer, rows, task.data["ordered"])
        assert task.attributes["kind"] == kind


def test_only_the_questions_that_ask_for_an_order_need_one():
    names = [("Ada",), ("Ben",), ("Cleo",)]
    assert matches("Ben; Cleo; Ada", names, ordered=False)
    assert not matches("Ben; Cleo; Ada", names, ordered=True)
    assert matches("ada, ben and cleo.", names, ordered=True)


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("Oslo = 3.67; Lima = 1200", True),
        ("lima: 1,200\nOslo: 3.666667", True),
        ("| Oslo | 3.67 |\n| Lima | 1200.0 |", True),
        ("Oslo = 3.67, 'Lima' = 1200", True),
        ("(Lima = 1200, Oslo = 3.67)", True),
        ("Oslo = 3.6; Lima = 1200", False),
        ("Oslo = 3.67", False),
        ("Oslo = 3.67; Lima = 1200; Quito = 1", False),
        ("Lima = 3.67; Oslo = 1200", False),
        ("", False),
    ],
)
def test_pairs_are_compared_as_values(answer, right):
    assert matches(answer, [("Oslo", 11 / 3), ("Lima", 1200)], ordered=False) is right


VALUES = st.one_of(st.integers(-10_000, 10_000), st.floats(-1e6, 1e6), st.sampled_from(["Ada", "blue sky", "Oslo"]))


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=6), st.booleans())
@settings(max_examples=40, deadline=None, derandomize=True)
def test_a_written_answer_matches_the_rows_it_was_written_from(rows, ordered):
    assert matches(written(rows), rows, ordered)


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_any_text_can_be_compared(text):
    assert matches(text, [("no such answer", 1)], ordered=False) is False


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM {0}",
        "INSERT INTO {0} DEFAULT VALUES",
        "UPDATE {0} SET id = 0",
        "DROP TABLE {0}",
        "CREATE TABLE t (x)",
        "CREATE TEMP TABLE t (x)",
        "ATTACH '{1}' AS other",
        "VACUUM INTO '{1}'",
        "PRAGMA writable_schema = 1",
        "BEGIN",
        "SELECT load_extension('{1}')",
        "SELECT writefile('{1}', 'x')",
        "SELECT readfile('/etc/passwd')",
        "SELECT zeroblob(1000000000)",
        "SELECT randomblob(1000000000)",
        "SELECT random()",
        "SELECT 1; DELETE FROM {0}",
    ],
)
def test_what_does_more_than_read_is_answered_with_an_error_and_changes_nothing(query, tmp_path):
    made = Database(5)
    table, file = made.theme.owners.name, tmp_path / "written"
    before = made.ask(f"SELECT * FROM {table}", 100)
    with pytest.raises(QueryError):
        made.ask(query.format(table, file), 10)
    assert not file.exists()
    assert made.ask(f"SELECT * FROM {table}", 100) == before


@pytest.mark.parametrize(
    "query",
    [
        f"{RECURSIVE} SELECT COUNT(*) FROM r",
        f"{RECURSIVE} SELECT printf('%900d', n) AS x FROM r ORDER BY x",
        f"{RECURSIVE} SELECT group_concat(n) FROM r",
        "SELECT COUNT(*) FROM {0} a, {0} b, {0} c, {0} d, {0} e, {0} f, {0} g",
        "SELECT replace(printf('%900d', 1), ' ', printf('%900d', 1))",
        "SELECT " + "(" * 3000 + "1" + ")" * 900,
        "SELECT " + "-" * 3000 + "1",
        "SELECT '" + "x" * 3000 + "'",
        "x" * 1_000_000,
        "SELECT \x00",
        "SELECT '\ud800'",
    ],
)
def test_hostile_queries_end_with_an_error_and_without_much_memory(query):
    made = Database(5)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(QueryError):
        made.ask(query.format(made.theme.owners.name), 10)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 * 1024


def test_a_text_of_any_length_is_refused_or_empty():
    made = Database(5)
    assert made.ask("SELECT printf('%100000000d', 1)", 1)[1] == [(None,)]
    with pytest.raises(QueryError, match="too big"):
        made.ask("SELECT replace(hex(printf('%400d', 1)), '2', 'xxxxxxxx')", 1)


def test_the_tool_shows_rows_says_that_there_are_more_and_answers_errors():
    env = few(rows=2)
    env.reset(options={"task": env.tasks("test")[0]})

    def answer(sql: str) -> str:
        return env.step(assistant("", [tool_call("query", {"sql": sql})]))[0][0]["content"]

    assert answer("SELECT 1 AS a, NULL AS b") == "a | b\n1 | NULL"
    shown = answer("SELECT name FROM sqlite_master UNION ALL SELECT 'x'").splitlines()
    assert (len(shown), shown[-1]) == (4, "(more rows; only 2 are shown)")
    assert answer("SELECT 1 WHERE 0") == "1\n(no rows)"
    assert answer("SELEC") == 'Error: near "SELEC": syntax error'
    assert answer("DROP TABLE x").startswith("Error: ")


def test_the_schema_can_be_left_to_be_found():
    hidden = few(show_schema=False)
    task = hidden.tasks("test")[0]
    assert "CREATE TABLE" not in task.messages[-1]["content"]
    _, rows, _ = database(task.data["database"]).ask("SELECT sql FROM sqlite_master", 10)
    assert [sql for (sql,) in rows] == Database(task.data["database"]).schema
    assert sqlite3.complete_statement(rows[0][0] + ";")
