"""What is set of the local sandbox."""

import os
from enum import StrEnum
from typing import Literal

from pydantic import Field, PositiveInt

from agent_rl.core.settings import Settings


class Tier(StrEnum):
    """How programs are kept apart from the machine, strongest first."""

    NAMESPACES = "namespaces"  # namespaces of their own, Landlock, seccomp and limits
    LANDLOCK = "landlock"  # Landlock, seccomp and limits, on the machine's own folders and process numbers
    UNSAFE = "unsafe"  # limits alone: a program reads and writes what the user who runs this may


class LocalSettings(Settings):
    """Programs run on this machine, each in a process forked for it from an interpreter that is loaded already."""

    name: Literal["local"] = "local"
    """On this machine, isolated by the kernel."""
    concurrency: PositiveInt = Field(default_factory=lambda: len(os.sched_getaffinity(0)))
    """Programs at one time, by default one a core; others wait, which does not count against their seconds."""
    cgroup: str = "none"
    """Below which cgroup each run gets one of its own, which bounds the memory of all its processes at once: `none`,
    `auto` (one that this process may use without anything being moved, where there is one), or the folder of one that
    has been delegated, such as `/sys/fs/cgroup/…`, which has to work. It costs 4 to 9 % of a run's processor time."""
    weakest: Tier = Tier.NAMESPACES
    """The weakest isolation to do with where the kernel does not offer the strongest: `namespaces` (every layer),
    `landlock` (folders, network and system calls are restricted, but the machine's processes can be seen to exist), or
    `unsafe` (limits alone)."""
