"""The environment `guess`, as it stands in the README, with demonstrations and a solution beside it."""

from agent_rl.core.message import Message
from agent_rl.core.task import Task
from agent_rl.envs.guess.play import GUESSES, NUMBERS, Demonstrated, task, verdict
from agent_rl.envs.reward import reward
from agent_rl.tools.tool import tool


class Guess(Demonstrated):
    """Find a hidden number among 20 with 5 guesses; only who halves what is left always succeeds."""

    def tasks(self, split: str) -> list[Task]:
        """Return every number of ten ranges: those that begin with an odd number for "train", else with an even one."""
        lows = range(1 + (split == "test"), 11, 2)
        return [task(low, number) for low in lows for number in range(low, low + NUMBERS)]

    @tool
    def guess(self, number: int) -> str:
        """Guess the number."""
        if number == int(self.task.answer):
            self.finish()
        return verdict(number, int(self.task.answer))

    @reward
    def found(self, messages: list[Message]) -> float:
        """1 when one of the first 5 guesses was the number, else 0."""
        return float("correct" in [said["content"] for said in messages if said["role"] == "tool"][:GUESSES])
