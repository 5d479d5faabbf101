"""An environment of one's own: tasks, a tool, a reward. `agent-rl train env=examples/museum/museum.py:Museum`."""

from agent_rl import Task, TaskSet, ToolEnv, reward, tool
from agent_rl.core.message import system, user

PAINTERS = {"Ferry": "Ana Brel", "Harvest": "Jon Okoro", "Orchard": "Mei Tanaka", "Lantern": "Ravi Sen"}
PAINTERS |= {"Canal": "Lia Moreau", "Market": "Ana Brel", "Bridge": "Jon Okoro", "Quarry": "Mei Tanaka"}
PAINTERS |= {"Harbour": "Ravi Sen", "Meadow": "Lia Moreau", "Kitchen": "Jon Okoro", "Storm": "Mei Tanaka"}
BIRTHPLACES = {
    "Ana Brel": "Lodz",
    "Jon Okoro": "Enugu",
    "Mei Tanaka": "Nagoya",
    "Ravi Sen": "Pune",
    "Lia Moreau": "Lyon",
}
FACTS = {f"the painter of {picture}": painter for picture, painter in PAINTERS.items()}
FACTS |= {f"the birthplace of {painter}": place for painter, place in BIRTHPLACES.items()}
PROMPT = system("Search one fact at a time. Then write Answer: and the answer.")


class Museum(ToolEnv):
    """Where was the painter of a picture born?"""

    def tasks(self, split: str) -> TaskSet:
        """Return a question for each picture; the last four are for the test."""
        pictures = list(PAINTERS)[:8] if split == "train" else list(PAINTERS)[8:]
        asked = {p: user(f"What is the birthplace of the painter of {p}?") for p in pictures}
        return TaskSet([Task(p, (PROMPT, asked[p]), BIRTHPLACES[PAINTERS[p]]) for p in pictures], split)

    @tool
    def search(self, query: str) -> str:
        """Find a fact."""
        return f"{query} is {FACTS[query]}." if query in FACTS else "Nothing found."

    @reward
    def correct(self, task: Task, answer: str) -> float:
        """1 for the right place, else 0."""
        return float(answer == f"Answer: {task.answer}")
