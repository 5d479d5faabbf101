"""The environment `sql`: questions on generated databases, answered with read-only queries."""

from agent_rl.envs.sql.env import Sql, SqlSettings

__all__ = ["Sql", "SqlSettings"]
