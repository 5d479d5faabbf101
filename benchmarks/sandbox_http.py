"""A sandbox server under load: errors, runs a second, and whether anything is left behind.

`agent-rl serve sandbox` runs in a process of its own. Many clients send it programs for some minutes through
`sandbox=fusion`, most of them trivial, some that fail, hang, bring files, or use too much; every answer is compared
with what the program must give. Before and after, when nothing runs, the server's processes, open descriptors and
memory are counted, what lies in its folder for temporary files, and the machine's mounts: they must be the same, memory
but for what an allocator keeps.
"""

import argparse
import asyncio
import ctypes
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from calibration import matmul_gflops

from agent_rl.tools.sandbox.base import Limits, Program, Status
from agent_rl.tools.sandbox.fusion import FusionSandbox, FusionSettings

_QUIET = 3.0  # seconds after the last answer in which the server may let go of connections
_WARM = 200  # programs before the first count
_PR_SET_CHILD_SUBREAPER = 36
_LIMITS = Limits()


@dataclass(frozen=True)
class Kind:
    """One kind of program, how often it is sent, and what must become of it."""

    share: float
    code: str
    status: Status = Status.FINISHED
    limits: Limits = _LIMITS


KINDS = {
    "trivial": Kind(0.80, "print(int(input()) * 2)"),
    "fails": Kind(0.08, "print(input()); 1 / 0", Status.ERROR),
    "files": Kind(0.06, "open('out', 'wb').write(open('in', 'rb').read()[::-1])"),
    "forks": Kind(0.03, "import subprocess; print(subprocess.check_output(['/bin/echo', input()]).decode(), end='')"),
    "floods": Kind(0.01, "while True: print('x' * 1000)", Status.OUTPUT_LIMIT, Limits(output_kb=64)),
    "hangs": Kind(
        0.01, "import os; os.fork() or os.setsid()\nwhile True: pass", Status.TIME_LIMIT, Limits(seconds=0.5)
    ),
    "eats": Kind(0.01, "x = bytearray(10 ** 9)", Status.MEMORY_LIMIT, Limits(memory_mb=128)),
}


@dataclass(frozen=True)
class Held:
    """What a server and all that it has started hold."""

    processes: int
    descriptors: int
    files: int
    mounts: int
    memory_mb: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120.0, help="how long programs are sent")
    parser.add_argument("--clients", type=int, default=64, help="programs in flight")
    parser.add_argument("--json", action="store_true", help="end with one JSON object on a line")
    arguments = parser.parse_args()
    print(f"calibration: {matmul_gflops():.0f} GFLOP/s", flush=True)
    # What a program leaves behind would else become a child of the first process of the machine, and not be counted.
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "agent_rl.cli", "serve", "sandbox", "port=0"]
        environment = {**os.environ, "TMPDIR": folder}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as server:
            assert server.stdout is not None
            url = [server.stdout.readline() for _ in range(2)][1].split()[2]
            try:
                figures = measure(url, server.pid, Path(folder), arguments.seconds, arguments.clients)
            finally:
                server.terminate()
    report(figures)
    if arguments.json:
        print(json.dumps(figures))


def measure(url: str, pid: int, folder: Path, seconds: float, clients: int) -> dict[str, Any]:
    """Return what came of the load, and what the server held before and after."""
    asyncio.run(load(url, clients, programs=_WARM))
    before = held(pid, folder)
    begun = time.monotonic()
    wrong, spent = asyncio.run(load(url, clients, seconds=seconds))
    seconds = time.monotonic() - begun
    after = held(pid, folder)
    spent.sort()
    return {
        "clients": clients,
        "seconds": round(seconds, 1),
        "runs": len(spent),
        "runs_per_second": round(len(spent) / seconds, 1),
        "p50_ms": round(1000 * spent[len(spent) // 2], 1),
        "p99_ms": round(1000 * spent[len(spent) * 99 // 100], 1),
        "errors": sum(wrong.values()),
        "wrong": dict(wrong.most_common(5)),
        "before": asdict(before),
        "after": asdict(after),
    }


async def load(
    url: str, clients: int, *, seconds: float = 3600.0, programs: int = 10**9
) -> tuple[Counter[str], list[float]]:
    """Send programs for `seconds`, or so many; return what was wrong and the seconds that each took."""
    sandbox = FusionSandbox(FusionSettings(url=url, concurrency=clients, attempts=1))
    wrong: Counter[str] = Counter()
    spent: list[float] = []
    deadline = time.monotonic() + seconds

    async def client(seed: int) -> None:
        draw = random.Random(seed)
        while time.monotonic() < deadline and len(spent) < programs:
            (name,) = draw.choices(list(KINDS), [kind.share for kind in KINDS.values()])
            begun = time.monotonic()
            if trouble := await _trouble(sandbox, KINDS[name], draw.randrange(10**6)):
                wrong[f"{name}: {trouble}"] += 1
            spent.append(time.monotonic() - begun)

    await asyncio.gather(*(client(seed) for seed in range(clients)))
    await sandbox.close()
    return wrong, spent


async def _trouble(sandbox: FusionSandbox, kind: Kind, number: int) -> str:
    """Run a program, and return in what its result is not what it must be."""
    content = number.to_bytes(4)
    result = await sandbox.run(
        Program(kind.code, files={"in": content}, fetch=("out",), limits=kind.limits), f"{number}\n"
    )
    if result.status is not kind.status:
        return f"{result.status} {result.message or result.stderr[-200:]}"
    if kind is KINDS["files"]:
        return "" if result.files == {"out": content[::-1]} else f"brought {dict(result.files)}"
    wanted = {"trivial": 2 * number, "fails": number, "forks": number}
    expected = {KINDS[name].code: f"{value}\n" for name, value in wanted.items()}.get(kind.code)
    return "" if expected in (None, result.stdout) else f"said {result.stdout[:100]!r}"


def held(pid: int, folder: Path) -> Held:
    """Count what process `pid` and all that has become of it hold, when nothing runs any more."""
    time.sleep(_QUIET)
    tree = _descendants(os.getpid())
    assert pid in tree
    return Held(
        processes=len(tree),
        descriptors=sum(len(list(Path(f"/proc/{one}/fd").iterdir())) for one in tree),
        files=sum(1 for _ in folder.rglob("*")),
        mounts=len(Path("/proc/self/mountinfo").read_text().splitlines()),
        memory_mb=round(sum(_kilobytes(one) for one in tree) / 1024, 1),
    )


def _descendants(root: int) -> list[int]:
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):  # it has just ended
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found = [root]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found[1:]


def _kilobytes(pid: int) -> int:
    """Return the process' share of the memory that it has in common with others, and its own."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def report(figures: dict[str, Any]) -> None:
    """Print the figures for people."""
    print(
        f"{figures['runs']:,} programs of {figures['clients']} clients in {figures['seconds']:g} s: "
        f"{figures['runs_per_second']}/s, p50 {figures['p50_ms']} ms, p99 {figures['p99_ms']} ms, "
        f"{figures['errors']} errors"
    )
    for trouble, times in figures["wrong"].items():
        print(f"  {times} times {trouble}")
    print(f"{'':<14} {'before':>10} {'after':>10}")
    for name, before in figures["before"].items():
        print(f"{name:<14} {before:>10} {figures['after'][name]:>10}")


if __name__ == "__main__":
    main()
