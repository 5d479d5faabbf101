"""agent_rl: train language-model agents by reinforcement learning in environments that take many turns.

The public names are imported when they are first used, so that `import agent_rl` is quick. Gymnasium knows the shipped
environments from then on: `gymnasium.make("agent_rl/Search-v0")`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import gymnasium

if TYPE_CHECKING:
    from agent_rl.api import evaluate, load_run, train
    from agent_rl.core.task import Task, TaskSet
    from agent_rl.core.trajectory import Trajectory
    from agent_rl.envs.base import AgentEnv
    from agent_rl.envs.registration import make, register_env
    from agent_rl.envs.reward import reward
    from agent_rl.envs.tool_env import ToolEnv
    from agent_rl.envs.vector import make_vec
    from agent_rl.envs.wrappers import AgentWrapper
    from agent_rl.tools.policy import ToolPolicy
    from agent_rl.tools.registry import register_tool
    from agent_rl.tools.tool import Tool, tool
    from agent_rl.tools.toolset import ToolSet

SHIPPED_ENVIRONMENTS = {
    "code": ("agent_rl/Code-v0", "agent_rl.envs.code:Code"),
    "countdown": ("agent_rl/Countdown-v0", "agent_rl.envs.countdown:Countdown"),
    "countdown_code": ("agent_rl/CountdownCode-v0", "agent_rl.envs.countdown_code:CountdownCode"),
    "deep_research": ("agent_rl/DeepResearch-v0", "agent_rl.envs.deep_research:DeepResearch"),
    "frozen_lake": ("agent_rl/FrozenLake-v0", "agent_rl.envs.frozen_lake:FrozenLake"),
    "guess": ("agent_rl/Guess-v0", "agent_rl.envs.guess:Guess"),
    "household": ("agent_rl/Household-v0", "agent_rl.envs.household:Household"),
    "math": ("agent_rl/Math-v0", "agent_rl.envs.math:Math"),
    "search": ("agent_rl/Search-v0", "agent_rl.envs.search:Search"),
    "search_rewrite": ("agent_rl/SearchRewrite-v0", "agent_rl.envs.search_rewrite:SearchRewrite"),
    "shop": ("agent_rl/Shop-v0", "agent_rl.envs.shop:Shop"),
    "sokoban": ("agent_rl/Sokoban-v0", "agent_rl.envs.sokoban:Sokoban"),
    "sql": ("agent_rl/Sql-v0", "agent_rl.envs.sql:Sql"),
}
"""Name, Gymnasium's id and home of the environments that come with the package."""

ADAPTERS = {
    "gymnasium": ("agent_rl/Gymnasium-v0", "agent_rl.envs.adapters.gymnasium:Gymnasium"),
    "lm_eval": ("agent_rl/LmEval-v0", "agent_rl.envs.adapters.lm_eval:LmEval"),
    "openenv": ("agent_rl/OpenEnv-v0", "agent_rl.envs.adapters.openenv:OpenEnv"),
    "skyrl_gym": ("agent_rl/SkyRLGym-v0", "agent_rl.envs.adapters.skyrl_gym:SkyRLGym"),
    "verifiers": ("agent_rl/Verifiers-v0", "agent_rl.envs.adapters.verifiers:Verifiers"),
    "verl": ("agent_rl/Verl-v0", "agent_rl.envs.adapters.verl:Verl"),
}
"""Alike, of those that bring the environments of another library; most need settings or that library to be made."""

for _id, _entry in (SHIPPED_ENVIRONMENTS | ADAPTERS).values():
    gymnasium.register(id=_id, entry_point=_entry)

_HOMES = {
    "AgentEnv": "agent_rl.envs.base",
    "AgentWrapper": "agent_rl.envs.wrappers",
    "Task": "agent_rl.core.task",
    "TaskSet": "agent_rl.core.task",
    "Tool": "agent_rl.tools.tool",
    "ToolEnv": "agent_rl.envs.tool_env",
    "ToolPolicy": "agent_rl.tools.policy",
    "ToolSet": "agent_rl.tools.toolset",
    "Trajectory": "agent_rl.core.trajectory",
    "evaluate": "agent_rl.api",
    "load_run": "agent_rl.api",
    "make": "agent_rl.envs.registration",
    "make_vec": "agent_rl.envs.vector",
    "register_env": "agent_rl.envs.registration",
    "register_tool": "agent_rl.tools.registry",
    "reward": "agent_rl.envs.reward",
    "tool": "agent_rl.tools.tool",
    "train": "agent_rl.api",
}

__all__ = [
    "AgentEnv",
    "AgentWrapper",
    "Task",
    "TaskSet",
    "Tool",
    "ToolEnv",
    "ToolPolicy",
    "ToolSet",
    "Trajectory",
    "evaluate",
    "load_run",
    "make",
    "make_vec",
    "register_env",
    "register_tool",
    "reward",
    "tool",
    "train",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its home."""
    if name not in _HOMES:
        raise AttributeError(f"module 'agent_rl' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """Name the public names."""
    return sorted(__all__)
