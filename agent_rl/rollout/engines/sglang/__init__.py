"""The engine over SGLang servers: started and watched by us, or given by their urls."""

from agent_rl.rollout.engines.sglang.engine import SglangEngine
from agent_rl.rollout.engines.sglang.settings import SglangSettings

__all__ = ["SglangEngine", "SglangSettings"]
