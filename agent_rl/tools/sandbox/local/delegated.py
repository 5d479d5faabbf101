"""Which cgroups may have others below them that bound the memory of runs."""

import os
from collections.abc import Iterator

from agent_rl.core.errors import UserError
from agent_rl.tools.sandbox.local.cgroup import V1, V2, Version, write

HANDED_DOWN = "cgroup.subtree_control"
"""The file that names the controllers for the cgroups below."""


def delegated() -> list[str]:
    """Return the cgroups that are this process's to use without anything being moved.

    That is its own of the first version, where the user may write there. Of the second, in which a cgroup has either
    processes or others below it, it is the one above its own, if that hands memory down and is the user's: by its
    owner, or for the superuser because it is the uppermost of a container. A slice is systemd's, which allows none.
    """
    found = []
    for version, mounted, inside in _own():
        if version is V1:
            found.append(mounted + inside)
        elif inside != "/":
            above = os.path.dirname(mounted + inside)
            handed_down = "memory" in _words(f"{above}/{HANDED_DOWN}")
            if handed_down and not above.endswith(".slice") and _is_ours(above, mounted):
                found.append(above)
    return [path for path in found if os.access(path, os.W_OK)]


def prepared(parent: str) -> Version:
    """Let a cgroup have others below it with limits of memory, and return its version.

    Raises:
        UserError: It cannot.
    """
    if os.path.exists(f"{parent}/{V1.limit}"):
        return V1
    if not os.path.exists(f"{parent}/{HANDED_DOWN}"):
        raise UserError(f"sandbox.cgroup: {parent} is no cgroup that can bound memory")
    if "memory" not in _words(f"{parent}/cgroup.controllers"):
        raise UserError(
            f"sandbox.cgroup: {parent} lacks the controller 'memory': the cgroup above does not hand it down"
        )
    if "memory" not in _words(f"{parent}/{HANDED_DOWN}"):
        try:
            write(f"{parent}/{HANDED_DOWN}", "+memory")
        except OSError as error:
            hint = ": move the processes in it to one below it first" if _words(f"{parent}/cgroup.procs") else ""
            raise UserError(f"sandbox.cgroup: {parent} cannot hand down 'memory' ({error.strerror}){hint}") from error
    return V2


def _own() -> Iterator[tuple[Version, str, str]]:
    """Return the cgroups of memory that this process is in: version, where they are mounted, and the path below."""
    inside = {}
    for line in _lines("/proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers == "" or "memory" in controllers.split(","):
            inside[V1 if controllers else V2] = path
    for line in _lines("/proc/self/mountinfo"):
        here, _, there = line.partition(" - ")
        root, mounted = here.split()[3:5]
        kind, _, options = there.split()
        version = {"cgroup": V1, "cgroup2": V2}.get(kind)
        if version is None or version not in inside or (version is V1 and "memory" not in options.split(",")):
            continue
        path = inside[version]
        if root == "/" or path == root or path.startswith(f"{root}/"):
            yield version, mounted, path.removeprefix(root.rstrip("/")) or "/"


def _is_ours(folder: str, mounted: str) -> bool:
    if os.geteuid():
        return os.stat(folder).st_uid == os.geteuid()
    return folder == mounted and os.path.exists(f"{folder}/cgroup.type")  # which the machine's uppermost has not


def _words(path: str) -> list[str]:
    return " ".join(_lines(path)).split()


def _lines(path: str) -> list[str]:
    try:
        with open(path) as file:
            return file.read().splitlines()
    except OSError:
        return []
