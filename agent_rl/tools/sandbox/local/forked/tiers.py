"""The ladder of tiers, as the fork server sees it."""

from typing import Any

from .machine import Machine
from .namespaces import Namespaces

Tier = Namespaces | Machine
"""How runs are kept apart from the machine; the two have the same methods."""


def chosen(settings: dict[str, Any]) -> Tier:
    """Return the tier that the parent's settings name."""
    name = settings["tier"]
    return Namespaces(settings) if name == "namespaces" else Machine(settings, confined=name == "landlock")
