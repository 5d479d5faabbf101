"""Sandboxes: isolated runs a second of trivial programs, and how long 8 clients wait, beside bubblewrap.

Rounds of the local sandbox and of bubblewrap take turns, and the best of each counts. The processor time of the
sandbox's runs is that of this process, of the fork servers and of all that they forked; it depends less on what else
the machine does. What the kernel does later, such as taking namespaces apart, is in the runs a second alone.
"""

import argparse
import asyncio
import json
import os
import resource
import shutil
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from calibration import matmul_gflops

from agent_rl.tools.sandbox.base import Program, Result
from agent_rl.tools.sandbox.local import LocalSandbox, LocalSettings
from agent_rl.tools.sandbox.local.forked import tree

TRIVIAL = "print(sum(range(1000)))"
SCIENTIFIC = "import numpy, sympy\nprint(sum(range(1000)))"
ANSWER = "499500\n"
CLIENTS = 8
_BUBBLEWRAP = (
    *("bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv", "--ro-bind", "/", "/"),
    *("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--chdir", "/tmp"),
)


@dataclass
class Round:
    """What some runs took: wall-clock and processor seconds, and how long each client waited."""

    runs: int
    seconds: float
    processor: float
    waits: list[float]

    @property
    def per_second(self) -> float:
        """Return the runs a second."""
        return self.runs / self.seconds


async def measured(once: Callable[[], Awaitable[Any]], runs: int, clients: int, used: Callable[[], float]) -> Round:
    """Let `clients` do something `runs` times in all, each one after the other."""
    waits: list[float] = []
    left = iter(range(runs))

    async def client() -> None:
        for _ in left:
            begun = time.perf_counter()
            await once()
            waits.append(time.perf_counter() - begun)

    before, begun = used(), time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return Round(runs, time.perf_counter() - begun, used() - before, sorted(waits))


def in_sandbox(sandbox: LocalSandbox, code: str) -> Callable[[], Awaitable[Result]]:
    """Return what runs a program in the local sandbox."""

    async def once() -> Result:
        result = await sandbox.run(Program(code))
        assert result.stdout == ANSWER, result
        return result

    return once


def in_bubblewrap(code: str) -> Callable[[], Awaitable[None]]:
    """Return what runs a program in bubblewrap, in an interpreter started for it."""

    async def once() -> None:
        command = [*_BUBBLEWRAP, sys.executable, "-I", "-c", code]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        assert out.decode() == ANSWER

    return once


def processor_seconds(sandbox: LocalSandbox) -> float:
    """Return the processor time of this process, of those it has waited for, and of the fork servers with theirs."""
    own = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    total = sum(usage.ru_utime + usage.ru_stime for usage in own)
    for server in sandbox._servers.values():
        for pid in tree.descendants(server._process.pid)[:1]:
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
            total += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return total


async def figures(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure all."""
    sandbox = LocalSandbox(LocalSettings())
    tier = (await in_sandbox(sandbox, TRIVIAL)()).tier
    await in_sandbox(sandbox, SCIENTIFIC)()
    kinds: dict[str, tuple[Callable[[], Awaitable[Any]], int, int]] = {
        "python": (in_sandbox(sandbox, TRIVIAL), arguments.runs, sandbox.settings.concurrency),
        "clients": (in_sandbox(sandbox, TRIVIAL), arguments.runs, CLIENTS),
        "numpy_sympy": (in_sandbox(sandbox, SCIENTIFIC), arguments.runs, sandbox.settings.concurrency),
    }
    if shutil.which("bwrap"):
        kinds["bubblewrap"] = (in_bubblewrap(TRIVIAL), arguments.runs // 5, sandbox.settings.concurrency)
    best: dict[str, Round] = {}
    for _ in range(arguments.rounds):
        for kind, (once, runs, clients) in kinds.items():
            took = await measured(once, runs, clients, lambda: processor_seconds(sandbox))
            if kind not in best or took.per_second > best[kind].per_second:
                best[kind] = took
    await sandbox.close()
    return {
        **{f"{kind}_runs_per_second": round(took.per_second, 1) for kind, took in best.items()},
        **{
            f"{kind}_cpu_ms": round(1000 * best[kind].processor / best[kind].runs, 2)
            for kind in ("python", "numpy_sympy")
        },
        "p50_ms_8_clients": round(1000 * _quantile(best["clients"].waits, 0.5), 1),
        "p99_ms_8_clients": round(1000 * _quantile(best["clients"].waits, 0.99), 1),
        "tier": tier,
    }


def _quantile(values: list[float], part: float) -> float:
    return values[min(len(values) - 1, int(part * len(values)))]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=300, help="runs in each round")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each kind; the best counts")
    parser.add_argument("--json", action="store_true", help="end with one JSON object on a line")
    arguments = parser.parse_args()
    found = asyncio.run(figures(arguments))
    found |= {
        "bubblewrap_runs_per_second": found.get("bubblewrap_runs_per_second"),
        "load": round(os.getloadavg()[0], 1),
        "calibration_gflops": round(matmul_gflops(), 1),
    }
    for name, value in found.items():
        print(f"{name:<32} {value}")
    if not found["bubblewrap_runs_per_second"]:
        print("bubblewrap is not installed: apt-get install bubblewrap")
    if arguments.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
