"""The environment `guess`, as it stands in the README, with demonstrations and a solution beside it."""

from agent_rl.core.message import Message, user
from agent_rl.core.task import Task, TaskSet
from agent_rl.envs.guess.play import GUESSES, NUMBERS, Demonstrated, verdict
from agent_rl.envs.reward import reward
from agent_rl.tools.tool import tool


class Guess(Demonstrated):
    """Find a hidden number among 50 with 6 guesses; only who halves what is left always succeeds."""

    def tasks(self, split: str) -> TaskSet:
        """Return every number of 20 ranges: those that begin with an odd number for "train", else with an even one."""
        pairs = [(low, low + n) for low in range(1 + (split == "test"), 41, 2) for n in range(NUMBERS)]
        text = "Guess a number from {} to {}."
        return TaskSet(
            [Task(f"{low}-{n}", (user(text.format(low, low + NUMBERS - 1)),), str(n)) for low, n in pairs], split
        )

    @tool
    def guess(self, number: int) -> str:
        """Guess the number."""
        if number == int(self.task.answer):
            self.finish()
        return verdict(number, int(self.task.answer))

    @reward
    def found(self, messages: list[Message]) -> float:
        """1 when one of the first 6 guesses was the number, else 0."""
        return float("correct" in [said["content"] for said in messages if said["role"] == "tool"][:GUESSES])
