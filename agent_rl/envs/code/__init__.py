"""The environment `code`: write programs that pass tests."""

from agent_rl.envs.code.env import Code, CodeSettings

__all__ = ["Code", "CodeSettings"]
