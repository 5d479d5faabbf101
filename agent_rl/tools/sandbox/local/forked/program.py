"""A Python program in a process that was forked for it: as if a fresh interpreter ran `python main.py`."""

import atexit
import builtins
import contextlib
import gc
import io
import os
import sys
import threading
import types
from typing import Any

NAME = "main.py"
"""The file that holds the program."""
_WRITERS = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)  # in the order in which they hand on


_prepared: list[Any] = []  # the standard streams that are written to, and what they write to


def prepare() -> None:
    """Make in the fork server what programs find, and let nothing of this package be seen."""
    streams = _made_streams()
    sys.stdin, sys.stdout, sys.stderr = streams
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = streams  # type: ignore[misc]
    for stream in streams[1:]:
        _prepared.extend((stream, stream.buffer))
    main = types.ModuleType("__main__")
    main.__dict__["__builtins__"] = builtins
    for name in [name for name in sys.modules if name.split(".")[0] == __name__.split(".")[0]]:
        del sys.modules[name]
    sys.modules["__main__"] = main
    sys.argv = [NAME]


def _made_streams() -> list[io.TextIOWrapper]:
    """Return streams of the descriptors 0 to 2, as an interpreter opens them that has a file and two pipes there."""
    kept = [os.dup(number) for number in range(3)]
    reading, writing = os.pipe()
    given = (os.memfd_create("stdin"), writing, writing)
    for number, descriptor in enumerate(given):
        os.dup2(descriptor, number)
    made = [_stream(0, "r"), _stream(1, "w"), _stream(2, "w")]
    for number, descriptor in enumerate(kept):
        os.dup2(descriptor, number)
    for descriptor in {*kept, *given, reading}:
        os.close(descriptor)
    return made


def _stream(number: int, mode: str) -> io.TextIOWrapper:
    binary = open(number, f"{mode}b", closefd=False)  # noqa: SIM115  # the stream holds it
    errors = "backslashreplace" if number == 2 else "surrogateescape"
    stream = io.TextIOWrapper(binary, "utf-8", errors, line_buffering=number == 2)
    stream.mode = mode  # type: ignore[misc]
    return stream


def enter_main() -> dict[str, Any]:
    """Return the names of the module `__main__`, of a program that lies in the current folder."""
    names, here = sys.modules["__main__"].__dict__, os.getcwd()
    names["__file__"] = f"{here}/{NAME}"
    sys.path.insert(0, here)
    threading.main_thread()._set_native_id()  # type: ignore[attr-defined]  # after a fork it has a new one
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()  # like the standard library's, which does so itself after a fork
    gc.enable()
    return names


def run(code: bytes) -> int:
    """Run a program to its end and return its exit code."""
    names = enter_main()
    exit_code = _ended(lambda: exec(compile(code, NAME, "exec", dont_inherit=True), names))
    for last in (threading._shutdown, atexit._run_exitfuncs):  # type: ignore[attr-defined]
        _ended(last)
    return _flushed(exit_code)


def _ended(work: Any) -> int:
    """Do `work` and return 0, or what an interpreter would end with for what it raised, which is shown."""
    try:
        work()
        return 0
    except SystemExit as stop:
        return code_of(stop)
    except BaseException as error:
        trace = error.__traceback__
        for _ in range(2):  # this function's frame and the caller's, who made `work`
            trace = trace.tb_next if trace else None
        shown = error.with_traceback(trace)
        try:
            sys.excepthook(type(error), shown, trace)
        except BaseException:
            sys.__excepthook__(type(error), shown, trace)
        return 1


def code_of(stop: SystemExit) -> int:
    """Return the exit code that a program asks for; what else it says is written to standard error."""
    if stop.code is None:
        return 0
    if isinstance(stop.code, int):
        return stop.code & 0xFF
    print(stop.code, file=sys.stderr)
    return 1


def _flushed(exit_code: int) -> int:
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except Exception:
        exit_code = exit_code or 120  # as an interpreter says it
    _write_what_is_open()
    return exit_code


def _write_what_is_open() -> None:
    """Write what files still hold that the program has not closed, as an interpreter does when it takes itself down."""
    files = [file for file in gc.get_objects() if issubclass(type(file), _WRITERS)]  # what was there before is frozen
    files += _prepared
    for kind in _WRITERS:
        for file in files:
            if isinstance(file, kind):
                with contextlib.suppress(Exception):
                    kind.flush(file)
