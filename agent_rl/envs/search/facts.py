"""The facts of one split that the index is sure to find, for questions other than chains."""

from collections import defaultdict

from agent_rl.envs.search.corpus import World
from agent_rl.envs.search.questions import Answerable, Hop, attributes_of, cities_of, countries_of, neighbours_of
from agent_rl.tools.search import PassageIndex


class Facts:
    """What questions of a split may be about: its countries and cities, and nothing that leads out of the split.

    Attributes:
        about: The facts about each country, by relation.
        by_relation: The same facts, by relation alone.
        cities: The facts that say in which country a city lies; not yet `known` to be found.
        known: Says of a chain of facts whether its own words find each of them at once.
    """

    def __init__(self, world: World, index: PassageIndex, split: str) -> None:
        """Gather the facts of `split`, in an order that is always the same."""
        inside = countries_of(world, split)
        self.known = Answerable(index)
        self.about: dict[str, dict[str, Hop]] = {}
        self.by_relation: dict[str, list[Hop]] = defaultdict(list)
        for country in sorted(inside):
            hops = attributes_of(world, country) + neighbours_of(world, country, inside)
            self.about[country] = {hop.relation: hop for hop in hops if self.known((hop,))}
            for hop in self.about[country].values():
                self.by_relation[hop.relation].append(hop)
        self.cities = [hop for _, hops in sorted(cities_of(world, inside).items()) for hop in hops]
