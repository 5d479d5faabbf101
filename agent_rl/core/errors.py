"""Errors that are meant for the person at the keyboard."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Something the user can mend. The command line prints its text as one line, without a traceback."""

    exit_status = 1
    """What the command line ends with."""


class NotProvidedError(UserError):
    """An environment leaves out something optional that was asked for."""


def nearest(wrong: str, known: Iterable[str]) -> str:
    """Return the hint `", did you mean 'right'?"` for a misspelt name, or `""` when nothing known is near."""
    names = list(known)
    if (tail := wrong.rpartition(".")[2]) != wrong and tail in names:
        return f", did you mean '{tail}'?"
    # A key may be right but for the section it lies in, so its last part counts as well.
    tails = {name.rsplit(".", 1)[-1]: name for name in reversed(names)}
    for pool, query in ((names, wrong), (list(tails), wrong.rsplit(".", 1)[-1])):
        found = difflib.get_close_matches(query, pool, n=3, cutoff=0.6)
        if found:
            swapped = [name for name in found if sorted(name) == sorted(query)]  # letters that changed places
            name = [*swapped, *found][0]
            return f", did you mean '{tails.get(name, name)}'?"
    return ""
