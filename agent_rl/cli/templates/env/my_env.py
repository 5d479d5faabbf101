"""MyEnv: the agent is asked for one fact, looks it up with a tool, and answers.

Make it yours from top to bottom: what there is to know, what is asked, what the agent can do, what that is worth.
"""

from collections.abc import Iterator

from agent_rl import Task, TaskSet, ToolEnv, reward, tool
from agent_rl.core.message import Message, assistant, system, text_of, tool_call, user
from agent_rl.core.settings import Settings

PROMPT = system("Search one fact at a time. Then write Answer: and the answer.")
TOWNS = {
    "train": {"Arlen": "Bru", "Benna": "Tamar", "Corvin": "Lys", "Dessa": "Orme", "Elmer": "Tamar", "Fenna": "Bru"},
    "test": {"Galen": "Lys", "Hedda": "Orme", "Ivor": "Bru", "Jonna": "Tamar"},
}
FACTS = {f"the river of {town}": river for towns in TOWNS.values() for town, river in towns.items()}


class MyEnvSettings(Settings):
    """Settings of the environment; each is set on the command line, as in `env.strict=true`."""

    strict: bool = False
    """Whether letter case and white space of the answer count."""


class MyEnv(ToolEnv):
    """On which river does a town lie?"""

    Settings = MyEnvSettings
    settings: MyEnvSettings

    def tasks(self, split: str) -> TaskSet:
        """Return the questions of "train" or "test"; no town is in both."""
        asked = {town: user(f"What is the river of {town}?") for town in TOWNS[split]}
        return TaskSet([Task(town, (PROMPT, asked[town]), river) for town, river in TOWNS[split].items()], split)

    @tool
    def search(self, query: str) -> str:
        """Find a fact."""
        return f"{query} is {FACTS[query]}." if query in FACTS else "Nothing found."

    @reward
    def correct(self, task: Task, answer: str) -> float:
        """1 for the right river behind `Answer:`, else 0."""
        _, _, given = answer.rpartition("Answer: ")
        if self.settings.strict:
            return float(given == task.answer)
        return float(given.strip().lower() == task.answer.lower())

    def solution(self, task: Task) -> Iterator[Message]:
        """Solve `task` as an agent should: `agent-rl check` proves with it that the whole reward can be had."""
        yield assistant("", [tool_call("search", {"query": f"the river of {task.id}"})])
        found = text_of(self.messages[-1])  # what the tool answered
        yield assistant(f"Answer: {found.rpartition(' is ')[2].removesuffix('.')}")
