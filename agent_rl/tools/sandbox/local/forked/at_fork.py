"""What modules want to be done around a fork, such as drawing a new random seed: put off until a program begins.

The fork server and the processes that watch over runs have one thread and draw no random numbers. What they did of it
would be work for nothing in each run, and every page of memory that they touch is one to be copied.
"""

import os
from collections.abc import Callable
from typing import Any

# It makes its locks anew in case that another thread held them; here there is but one.
_NEEDLESS = "threading"
_register = os.register_at_fork
_wanted: list[dict[str, Callable[[], Any]]] = []


def put_off() -> None:
    """Take note of what modules ask for that are imported from here on, instead of doing it."""
    os.register_at_fork = _note  # type: ignore[assignment]


def _note(**wanted: Callable[[], Any]) -> None:
    _wanted.append(wanted)


def take_up() -> None:
    """Do, in a program's process, what would have been done when it was forked, and from here on at each fork."""
    os.register_at_fork = _register
    for wanted in _wanted:
        _register(**wanted)
        after = wanted.get("after_in_child")
        if after and after.__module__ != _NEEDLESS:
            after()
