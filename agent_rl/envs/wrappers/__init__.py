"""Wrappers for chat: what an environment says or hears, changed on the way."""

from agent_rl.envs.wrappers.base import AgentWrapper
from agent_rl.envs.wrappers.context import ContextWrapper, DropObservations, TruncateToolOutput
from agent_rl.envs.wrappers.limits import LimitEpisode
from agent_rl.envs.wrappers.record import Record
from agent_rl.envs.wrappers.section import register_wrapper
from agent_rl.envs.wrappers.summarise import Summarise
from agent_rl.envs.wrappers.user import SimulatedUser

__all__ = [
    "AgentWrapper",
    "ContextWrapper",
    "DropObservations",
    "LimitEpisode",
    "Record",
    "SimulatedUser",
    "Summarise",
    "TruncateToolOutput",
    "register_wrapper",
]
