"""Engines: tokens in, tokens out, behind one protocol."""

from agent_rl.rollout.engines.base import Engine, Finish, Generation, Request, Sampling

__all__ = ["Engine", "Finish", "Generation", "Request", "Sampling"]
