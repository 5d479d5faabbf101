"""The environment `shop`: buy what an instruction describes from a generated catalogue."""

from agent_rl.envs.shop.env import Shop, ShopSettings

__all__ = ["Shop", "ShopSettings"]
