"""How long the viewer takes: from the request to the rows of 10,000 trajectories, to one of them, to a text in them.

The trajectories are real: episodes of the tiny model on `search`, several one behind the other until each has some 600
tokens, with ids of their own. Times are those of a client on this machine that reads the JSON, as the page does; beside
that of opening stands the processor time of both, which other programs change less.
"""

import argparse
import json
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote

from calibration import matmul_gflops

from agent_rl import evaluate
from agent_rl.core.files import write_json_atomic
from agent_rl.core.trajectory import Trajectory
from agent_rl.evaluation.viewer.library import Library
from agent_rl.evaluation.viewer.server import LOCAL, Viewer
from agent_rl.rollout.store import read_trajectories, write_trajectories

TOKENS = 600  # of a trajectory, about
LOOKED_AT = 20  # trajectories
WORDS = ["Nepal", "the capital of", "nobody says this"]
FILE = "/api/runs/run/files/episodes"


def played(folder: Path) -> list[Trajectory]:
    """Return real episodes."""
    evaluate("env=search", "model=tiny", "tasks=40", "n=4", "temperature=1", f"out={folder}")
    return list(read_trajectories(folder / "episodes.jsonl.zst"))


def many(episodes: list[Trajectory], count: int) -> Iterator[Trajectory]:
    """Yield trajectories that are made of episodes."""
    rng = random.Random(0)
    for number in range(count):
        made = replace(episodes[number % len(episodes)], task_id=f"test-{number // 8:05d}", sample=number % 8)
        while len(made.tokens) < TOKENS:
            more = rng.choice(episodes)
            made = replace(
                made,
                segments=made.segments + more.segments[1:],
                turns=made.turns + more.turns,
                messages=made.messages + more.messages[1:],
            )
        yield made


class Client:
    """A browser without a window."""

    def __init__(self, port: int) -> None:
        """Ask the viewer at a port of this machine."""
        self._connection = HTTPConnection(LOCAL, port, timeout=120)

    def seconds(self, path: str) -> tuple[float, Any]:
        """Return how long an answer took, from the request until its JSON was read, and the answer."""
        begun = time.perf_counter()
        self._connection.request("GET", path)
        answer = json.loads(self._connection.getresponse().read())
        return time.perf_counter() - begun, answer


def measure(folder: Path, count: int) -> dict[str, float]:
    """Return the times of a viewer that has seen nothing of the folder yet."""
    with Viewer(Library(folder), port=0) as viewer:
        thread = threading.Thread(target=viewer.serve_forever, daemon=True)
        thread.start()
        client, rng = Client(viewer.server_port), random.Random(0)
        computed = time.process_time()
        opened, answer = client.seconds(FILE)
        computed = time.process_time() - computed
        assert len(answer["rows"]) == count
        again, _ = client.seconds(FILE)
        details = [client.seconds(f"{FILE}/{rng.randrange(count)}")[0] for _ in range(LOOKED_AT)]
        last, _ = client.seconds(f"{FILE}/{count - 1}")
        searches = [client.seconds(f"{FILE}/search?q={quote(word)}")[0] for word in WORDS]
        viewer.shutdown()
        thread.join()
    return {
        f"open_seconds_{count}": opened,
        f"open_cpu_seconds_{count}": computed,
        "open_again_seconds": again,
        "detail_ms": 1000 * statistics.median(details),
        "detail_last_ms": 1000 * last,
        "first_search_ms": 1000 * searches[0],
        "search_ms": 1000 * max(searches[1:]),
    }


def main() -> None:
    """Print the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="trajectories in the file")
    parser.add_argument("--json", action="store_true", help="end with the figures as one JSON object on a line")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "run"
        episodes = played(Path(scratch) / "played")
        write_json_atomic(folder / "run.json", {})
        write_trajectories(folder / "episodes.jsonl.zst", many(episodes, arguments.count))
        sizes = [len(made.tokens) for made in many(episodes, 200)]
        figures = measure(folder, arguments.count)
    figures |= {"tokens_mean": statistics.mean(sizes), "calibration_gflops": matmul_gflops()}
    for name, value in figures.items():
        print(f"{name:<24} {value:10.3f}")
    if arguments.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
