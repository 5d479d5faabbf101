"""Call formats: calls read and written a second, and the longest time that any of many damaged texts takes.

Everything is processor time of one thread, so that other processes on the machine do not count. A typical message has
one call of two arguments (one, where the format has room for no more); writing includes the proof that what was written
is read back. The damaged texts are those of `fuzzed_calls.py`, of at most 20 kB each. One that takes more than a
millisecond is read five times more, and its shortest time counts: the rest is the machine's, not the text's.
"""

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

from calibration import matmul_gflops
from fuzzed_calls import TOOLS, fuzzed, typical

from agent_rl.tools.call_formats import CALL_FORMATS

_BATCH = 500
_DOUBTFUL = 0.001  # seconds above which a time is taken again


def per_second(work: Callable[[], object], repeats: int) -> float:
    """Return how often a second `work` is done, in the fastest of `repeats` batches."""
    return _BATCH / min(seconds(lambda: [work() for _ in range(_BATCH)]) for _ in range(repeats))


def seconds(work: Callable[[], object]) -> float:
    """Return the processor time of `work`."""
    begun = time.thread_time()
    work()
    return time.thread_time() - begun


def slowest(name: str, texts: int) -> tuple[float, str]:
    """Return the longest time (seconds) that a damaged text takes, and the text."""
    parse = CALL_FORMATS[name].parse
    longest, culprit = 0.0, ""
    for text in fuzzed(name, texts):
        taken = seconds(lambda text=text: parse(text, TOOLS))  # type: ignore[misc]  # bound at once
        if taken > max(_DOUBTFUL, longest):
            taken = min(seconds(lambda text=text: parse(text, TOOLS)) for _ in range(5))  # type: ignore[misc]
        if taken > longest:
            longest, culprit = taken, text
    return longest, culprit


def measure(name: str, texts: int, repeats: int) -> dict[str, Any]:
    """Return the figures of one format."""
    format_, message = CALL_FORMATS[name], typical(name)
    text = format_.write(message)
    assert len(format_.parse(text)["tool_calls"]) == 1
    longest, culprit = slowest(name, texts)
    return {
        "parsed_per_second": round(per_second(lambda: format_.parse(text), repeats)),
        "written_per_second": round(per_second(lambda: format_.write(message), repeats)),
        "worst_ms": round(1000 * longest, 3),
        "worst_input": culprit[:60],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=10_000, help="damaged texts for each format")
    parser.add_argument("--repeats", type=int, default=20, help=f"batches of {_BATCH} calls; the fastest counts")
    parser.add_argument("--formats", nargs="*", choices=list(CALL_FORMATS), help="only these")
    parser.add_argument("--json", action="store_true", help="end with one JSON object on a line")
    arguments = parser.parse_args()
    print(f"{'':<14} {'parsed/s':>10} {'written/s':>10} {'worst ms':>9}  of {arguments.texts:,} damaged texts")
    formats = {}
    for name in arguments.formats or CALL_FORMATS:
        formats[name] = found = measure(name, arguments.texts, arguments.repeats)
        speeds = f"{found['parsed_per_second']:10,} {found['written_per_second']:10,}"
        print(f"{name:<14} {speeds} {found['worst_ms']:9.3f}  {found['worst_input']!r}", flush=True)
    figures: dict[str, Any] = {
        "formats": formats,
        "hermes_calls_per_second": formats.get("hermes", {}).get("parsed_per_second"),
        "worst_ms": max(found["worst_ms"] for found in formats.values()),
        "texts": arguments.texts,
        "calibration_gflops": round(matmul_gflops(), 1),
    }
    if arguments.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
