"""Runs hostile programs in the local sandbox and looks at what they leave behind.

With AGENT_RL_TEST_SECRET=SECRET-0123456789abcdef0123456789abcdef in the environment,
`python -m tests.sandbox.hostile_suite [NAME ...]` runs all of them, or those of these files; each in a cgroup below the
one that AGENT_RL_TEST_CGROUP names, where it is set. The last line of its
output is an object: `ran`, `tiers`, `seconds` by program, and `complaints` by program or by what else was looked at; or
`refused` alone, which says why programs cannot be isolated on this machine.
"""

import asyncio
import ctypes
import json
import os
import site
import sys
from collections.abc import Sequence
from pathlib import Path

from agent_rl.core.errors import UserError
from agent_rl.tools.sandbox.base import Limits, Program, Result, Sandbox, Status
from agent_rl.tools.sandbox.local import LocalSandbox, LocalSettings
from tests.sandbox.hostile_program import Hostile, every, read
from tests.sandbox.hostile_traces import held, left, processes, settled
from tests.sandbox.hostile_world import World

SIDE_BY_SIDE = 8
CGROUP = "AGENT_RL_TEST_CGROUP"
_PR_SET_CHILD_SUBREAPER = 36
_PYTHON = """
import json, math, pathlib
number = int(input())
pathlib.Path("answer").write_text(str(number * number))
print(json.dumps(int(math.sqrt(number * number)) * 7))
"""
# Programs see what is installed for this interpreter, which what is on PYTHONPATH is not.
_INSTALLED = any(Path(folder, "numpy").is_dir() for folder in site.getsitepackages())
_HONEST = (  # each reads a number, writes its square into a file and prints seven times as much
    ("python", _PYTHON),
    ("python", f"import {'numpy' if _INSTALLED else 'random'}{_PYTHON}"),
    ("bash", "read -r number\necho -n $((number * number)) > answer\necho $((number * 7))\n"),
    ("python", _PYTHON),
)


class Suite:
    """One go through hostile programs.

    Attributes:
        world: The host.
        complaints: What was wrong, by program or by what else was looked at.
        seconds: How long each program took.
        tiers: The isolation that ran them.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.complaints: dict[str, list[str]] = {}
        self.seconds: dict[str, float] = {}
        self.tiers: set[str] = set()
        self._places = asyncio.Semaphore(SIDE_BY_SIDE)

    async def run(self, hostiles: Sequence[Hostile]) -> None:
        """Run the programs, several at a time, then honest ones; compare the host before and after."""
        cgroup = os.environ.get(CGROUP, "none")
        sandbox = LocalSandbox(LocalSettings(concurrency=SIDE_BY_SIDE, cgroup=cgroup))
        hostiles = [hostile for hostile in hostiles if hostile.language in sandbox.languages]
        await self._honest(sandbox, 20)
        await self._confide(sandbox)
        before = held()
        neighbour = asyncio.create_task(self._neighbour(sandbox))
        await asyncio.gather(*(self._one(sandbox, hostile) for hostile in hostiles))
        await neighbour
        self._complain("processes and descriptors", await settled(lambda: left(before, held())))
        await self._honest(sandbox, 100)
        self._complain("the host", self.world.damage())
        await sandbox.close()
        self._complain("after closing", await settled(self._left_running))

    def _left_running(self) -> list[str]:
        """Return what still runs; the dead whom this process has adopted would be buried by the machine's init."""
        found = processes(os.getpid(), {self.world.sentinel.pid})
        return [line for line in found if line.split()[1] != "Z"]

    async def _one(self, sandbox: Sandbox, hostile: Hostile) -> None:
        async with self._places:
            result = await sandbox.run(hostile.program(self.world.files()), hostile.stdin)
        found = hostile.complaints(result, self.world.secret)
        self.seconds[hostile.name] = round(result.seconds, 2)
        self.tiers.add(result.tier)
        self._complain(hostile.name, found and [*found, _told(result)])

    async def _confide(self, sandbox: Sandbox) -> None:
        """Let a program know the secret in every way a program can: later ones must not find it."""
        code = f"print(input() + open('file').read() + '{self.world.secret}')"
        program = Program(code, files={"file": self.world.secret.encode()}, fetch=("file",))
        result = await sandbox.run(program, self.world.secret)
        self._complain("the program with a secret", [_told(result)] if result.stdout.count("SECRET-") != 3 else [])

    async def _neighbour(self, sandbox: Sandbox) -> None:
        """Run a program that has the secret in its folder while hostile ones are running."""
        code = "import time; time.sleep(4); print(open('neighbour').read() + str(input()))"
        files = {"neighbour": self.world.secret.encode()}
        result = await sandbox.run(Program(code, files=files, limits=Limits(seconds=30)), "undisturbed")
        fine = result.stdout == f"{self.world.secret}undisturbed\n"
        self._complain("the neighbour", [] if fine else [_told(result)])

    async def _honest(self, sandbox: Sandbox, count: int) -> None:
        """Run honest programs and look at each answer."""

        async def one(number: int) -> list[str]:
            language, code = _HONEST[number % len(_HONEST)]
            async with self._places:
                result = await sandbox.run(Program(code, language, fetch=("answer",)), f"{number}\n")
            answer = {"answer": str(number * number).encode()}
            right = (result.status, result.stdout, result.files) == (Status.FINISHED, f"{number * 7}\n", answer)
            return [] if right else [f"{number}: {_told(result)}"]

        found = await asyncio.gather(*map(one, range(count)))
        self._complain("honest programs", [line for lines in found for line in lines][:5])

    def _complain(self, about: str, found: list[str]) -> None:
        if found:
            self.complaints.setdefault(about, []).extend(found)


def _told(result: Result) -> str:
    """Return a result on one line, for whoever looks into a complaint."""
    short = f"stdout {result.stdout[-300:]!r} stderr {result.stderr[-500:]!r}"
    ended = f"{result.status} {result.exit_code} {result.stage} {result.seconds:.2f} s {result.peak_memory_mb} MiB"
    return f"[{ended} {result.message!r} files {sorted(result.files)} {short}]"


def main(names: Sequence[str]) -> None:
    """Run the named programs, or all, and print what was found."""
    # Orphans of whatever depth come to this process, so that none is overlooked.
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    hostiles = [read(Path(__file__).parent / "hostile" / name) for name in names] or every()
    hostiles.sort(key=lambda hostile: not hostile.name.startswith("files"))  # while the neighbour is there
    with World() as world:
        suite = Suite(world)
        try:
            asyncio.run(suite.run(hostiles))
        except UserError as error:
            print(json.dumps({"refused": str(error)}))
            return
    told = {"ran": sorted(suite.seconds), "tiers": sorted(suite.tiers), "seconds": suite.seconds}
    print(json.dumps(told | {"complaints": suite.complaints}))


if __name__ == "__main__":
    main(sys.argv[1:])
