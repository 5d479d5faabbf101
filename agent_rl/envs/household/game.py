"""The rules of the household: which commands can be given, and what they do."""

import functools
from collections.abc import Callable

from agent_rl.envs.household.world import CLOSED, WITH, Goal, Home, kind_of

Commands = dict[str, Callable[[], str]]


class Game:
    """An episode in a home. One hand carries one thing; one sees what lies where one is, if it is open."""

    def __init__(self, home: Home, goal: Goal) -> None:
        """Stand in the middle of the home, all furniture closed."""
        self.home, self.goal = home, goal
        self.at = ""
        self.held = ""
        self.lies = dict(home.things)
        self.opened: set[str] = set()
        self.states: dict[str, set[str]] = {thing: set() for thing in home.things}
        self.done = False

    def commands(self) -> Commands:
        """Return every command that can be given now, with what it does: what is listed works, and nothing else."""
        found: Commands = {"look": self._look, "inventory": self._inventory}
        found |= {f"go to {n}": functools.partial(self._go, n) for n in self.home.furniture if n != self.at}
        if self.at and kind_of(self.at) in CLOSED:
            verb = "close" if self.at in self.opened else "open"
            found[f"{verb} {self.at}"] = functools.partial(self._turn, verb)
        if self.held:
            found |= self._with_what_is_held()
        elif self._reachable():
            found |= {f"take {t} from {self.at}": functools.partial(self._take, t) for t in self._here()}
        if self.at == "lamp 1":
            found["use lamp 1"] = self._use_lamp
        return found

    def act(self, command: str) -> str:
        """Carry out a command and say what happened; one that cannot be given changes nothing."""
        words = " ".join(command.casefold().split()).rstrip(".")
        known = self.commands()
        if words not in known:
            return f"Error: '{words[:60]}' cannot be done now"
        said = known[words]()
        self.done = self.done or self._placed()
        return said

    def _with_what_is_held(self) -> Commands:
        found: Commands = {f"examine {self.held}": self._inventory}
        if self._reachable() and self.at != "lamp 1":
            found[f"put {self.held} in {self.at}"] = self._put
        for verb, appliance in WITH.items():
            if kind_of(self.at) == appliance:
                found[f"{verb} {self.held} with {self.at}"] = functools.partial(self._treat, verb)
        return found

    def _reachable(self) -> bool:
        return bool(self.at) and (kind_of(self.at) not in CLOSED or self.at in self.opened)

    def _here(self) -> list[str]:
        return [thing for thing, where in self.lies.items() if where == self.at]

    def _look(self) -> str:
        return self._seen() if self.at else self.home.text

    def _seen(self) -> str:
        if not self._reachable():
            return f"The {self.at} is closed."
        return f"At the {self.at} you see: {', '.join(self._here()) or 'nothing'}."

    def _inventory(self) -> str:
        if not self.held:
            return "You carry nothing."
        states = " and ".join(sorted(self.states[self.held]))
        return f"You carry: {self.held}{f' ({states})' if states else ''}."

    def _go(self, furniture: str) -> str:
        self.at = furniture
        return self._seen()

    def _turn(self, verb: str) -> str:
        self.opened ^= {self.at}
        return f"You {verb} the {self.at}." + (f" {self._seen()}" if verb == "open" else "")

    def _take(self, thing: str) -> str:
        self.held, self.lies[thing] = thing, ""
        return f"You take the {thing} from the {self.at}."

    def _put(self) -> str:
        thing, self.held = self.held, ""
        self.lies[thing] = self.at
        return f"You put the {thing} in the {self.at}."

    def _treat(self, verb: str) -> str:
        became, ended = {"clean": ("clean", ""), "heat": ("hot", "cold"), "cool": ("cold", "hot")}[verb]
        self.states[self.held] = (self.states[self.held] | {became}) - {ended}
        return f"You {verb} the {self.held} with the {self.at}."

    def _use_lamp(self) -> str:
        if self.goal.kind == "examine" and self.held and kind_of(self.held) == self.goal.thing:
            self.done = True
        return f"You turn on the lamp{f' and see the {self.held} in its light' if self.held else ''}."

    def _placed(self) -> bool:
        """Return whether the things that the goal asks for lie where it asks, as it asks."""
        if self.goal.kind == "examine":
            return False
        state = {"clean": {"clean"}, "heat": {"hot"}, "cool": {"cold"}}.get(self.goal.kind, set())
        there = [
            thing
            for thing, where in self.lies.items()
            if kind_of(thing) == self.goal.thing and kind_of(where) == self.goal.target and state <= self.states[thing]
        ]
        return len(there) >= (2 if self.goal.kind == "two" else 1)
