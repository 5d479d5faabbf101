"""The rows: which episode has which row of the cache, and what of its tokens is in there already."""

from collections import deque

import numpy as np

from agent_rl.rollout.engines.embedded.cache import RowCache
from agent_rl.rollout.engines.embedded.turns import Episode


class Rows:
    """Gives the cache's rows to episodes. Rows `[0, active)` generate, the others in use wait for a turn.

    Attributes:
        taken: The episode of each row in use.
        active: Rows in front that generate.
    """

    def __init__(self, cache: RowCache, min_shared_prefix: int) -> None:
        """Begin with no episode; what is shared with another row is copied from `min_shared_prefix` tokens on."""
        self.taken: list[Episode] = []
        self.active = 0
        self._cache, self._min_shared_prefix = cache, min_shared_prefix
        self._unplaced: deque[Episode] = deque()  # episodes that were announced and have no row yet

    @property
    def generating(self) -> list[Episode]:
        """The episodes in front."""
        return self.taken[: self.active]

    @property
    def waiting(self) -> list[Episode]:
        """The episodes behind those that generate."""
        return self.taken[self.active :]

    def announce(self, episode: Episode, first: bool) -> None:
        """Note that an episode needs a row: as the last of those that do, or as the `first`."""
        (self._unplaced.appendleft if first else self._unplaced.append)(episode)

    def clear(self) -> None:
        """Forget all episodes; what was computed stays in the cache."""
        self.taken, self.active = [], 0
        self._unplaced.clear()

    def sweep(self) -> None:
        """Free the rows of closed episodes: the last row in use moves into the hole."""
        for hole in sorted((e.row for e in self.taken if e.closed and e.row is not None), reverse=True):
            last = self.taken.pop()
            if last.row != hole:
                self._cache.copy_prefix(len(self.taken), hole, int(self._cache.lengths[len(self.taken)]))
                self.taken[hole], last.row = last, hole

    def admit(self, due: int) -> None:
        """Give free rows to episodes that have none, in the order of announcement; they are due at step `due`."""
        while self._unplaced and len(self.taken) < self._cache.rows:
            episode = self._unplaced.popleft()
            if episode.closed:
                continue
            episode.row, episode.due = len(self.taken), due
            self._cache.lengths[episode.row] = 0
            self.taken.append(episode)

    def reuse(self, episode: Episode, joining: list[Episode]) -> bool:
        """Bring into the row what the cache has of the turn's tokens; False when waiting for `joining` brings more."""
        assert episode.turn is not None and episode.row is not None
        cache, row = self._cache, episode.row
        tokens = np.asarray(episode.turn.request.tokens)
        own = _common(cache.tokens[row, : cache.lengths[row]], tokens)
        source, shared = (row, own) if own else cache.longest_prefix(tokens, len(self.taken))
        if not own:
            soon = max((_common(np.asarray(o.turn.request.tokens), tokens) for o in joining if o.turn), default=0)
            if soon - shared >= self._min_shared_prefix:  # for less, it would hold up all that wait for it in turn
                return False
        usable = min(shared, len(tokens) - 1)  # the last token is always computed: its logits are needed
        if source != row and usable >= self._min_shared_prefix:
            cache.copy_prefix(source, row, usable)
        else:
            cache.lengths[row] = usable if source == row else 0
        return True

    def to_front(self, episode: Episode) -> None:
        """Let a waiting episode generate."""
        assert episode.row is not None
        self._exchange(episode.row, self.active)
        self.active += 1

    def leave_front(self, episode: Episode) -> None:
        """Let an episode wait that may generate; its row stays, behind those that do."""
        if episode.row is not None and episode.row < self.active:
            self.active -= 1
            self._exchange(episode.row, self.active)

    def _exchange(self, one: int, other: int) -> None:
        self._cache.swap(one, other)
        self.taken[one], self.taken[other] = self.taken[other], self.taken[one]
        self.taken[one].row, self.taken[other].row = one, other


def _common(one: np.ndarray, other: np.ndarray) -> int:
    """Return the length of the longest common prefix of two `[S]` arrays."""
    limit = min(len(one), len(other))
    differs = one[:limit] != other[:limit]
    return int(differs.argmax()) if differs.any() else limit
