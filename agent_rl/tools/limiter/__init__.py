"""The limiter: rate and concurrency of tools, for all processes of a run."""

from agent_rl.tools.limiter.client import LIMITER, Place, enter
from agent_rl.tools.limiter.server import limiter_service
from agent_rl.tools.limiter.waiting import wait_for_place

__all__ = ["LIMITER", "Place", "enter", "limiter_service", "wait_for_place"]
