"""The environment `sql`."""

import functools
from random import Random

from pydantic import Field

from agent_rl.core.message import Message, assistant, system, tool_call, user
from agent_rl.core.task import Task, TaskSet
from agent_rl.envs.base import Demonstration
from agent_rl.envs.generation import GeneratedSettings, demonstration, generate
from agent_rl.envs.reward import reward
from agent_rl.envs.sql import answers
from agent_rl.envs.sql.database import Database, QueryError, Row, database
from agent_rl.envs.sql.questions import KINDS, LEVELS, Kind, ask
from agent_rl.envs.tool_env import ToolEnv
from agent_rl.tools.tool import tool

PROMPT = (
    "Answer the question about the SQLite database with read-only queries. Then write Answer: and the answer; "
    "part several values by ; and round numbers to two digits after the point."
)


class SqlSettings(GeneratedSettings):
    """Settings of the environment `sql`."""

    kinds: tuple[Kind, ...] = Field(default=KINDS, min_length=1)
    """Kinds of questions: filter, aggregate (level 1), join, group, order (level 2), nested (level 3)."""
    rows: int = Field(default=20, ge=1, le=1000)
    """Rows that a query shows; that there are more is said."""
    show_schema: bool = True
    """Whether the prompt shows the tables; without it the agent must read sqlite_master."""


class Sql(ToolEnv):
    """Questions on generated SQLite databases of two tables; the tool reads, and can do nothing else."""

    Settings = SqlSettings
    settings: SqlSettings

    @tool
    def query(self, sql: str) -> str:
        """Run a query that reads the database."""
        try:
            names, rows, more = database(self.task.data["database"]).ask(sql, self.settings.rows)
        except QueryError as error:
            return f"Error: {error}"
        return _table(names, rows, more)

    @reward
    def correct(self, task: Task, answer: str) -> float:
        """1 when what follows `Answer:` has the values of the gold query's answer, else 0."""
        return float(answers.matches(answer.rpartition("Answer:")[2], task.data["rows"], task.data["ordered"]))

    def tasks(self, split: str) -> TaskSet:
        """Return the questions of "train" or "test", each on a database of its own."""
        return task_set(self.settings, split)

    def solution(self, task: Task) -> list[Message]:
        """Return the gold query and the answer."""
        query = assistant("", [tool_call("query", {"sql": task.data["query"]})])
        return [query, assistant(f"Answer: {task.answer}")]

    def demonstrate(self, rng: Random) -> Demonstration:
        """Return the solution of a training question, played."""
        return demonstration(self, rng)


@functools.cache
def task_set(settings: SqlSettings, split: str) -> TaskSet:
    """Return the tasks of a split, the same ones at every call."""
    return generate(functools.partial(_draw, settings), split, settings, "sql")


def _draw(settings: SqlSettings, rng: Random, name: str) -> Task:
    kind, found = rng.choice(settings.kinds), None
    while found is None:
        seed = rng.getrandbits(48)
        source = Database(seed)
        found = ask(kind, source, rng)
    question, rows = found
    schema = [*source.schema, ""] if settings.show_schema else []
    return Task(
        id=name,
        messages=(system(PROMPT), user("\n".join([*schema, question.text]))),
        answer=answers.written(rows),
        attributes={"kind": kind, "difficulty": LEVELS[kind]},
        data={"database": seed, "query": question.query, "rows": [list(r) for r in rows], "ordered": question.ordered},
    )


def _table(names: list[str], rows: list[Row], more: bool) -> str:
    lines = [" | ".join(names), *(" | ".join("NULL" if v is None else str(v) for v in row) for row in rows)]
    if not rows:
        lines.append("(no rows)")
    if more:
        lines.append(f"(more rows; only {len(rows)} are shown)")
    return "\n".join(lines)
