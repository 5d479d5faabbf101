"""Runs a submitted program inside the sandbox: calls its function, or runs a file of tests on it, and reports.

This file is handed into the sandbox as it stands, so it needs the standard library alone. It is told what to do on
standard input: never what is expected. What the program prints goes to standard error; the report is the only line of
standard output and begins with a mark that is drawn anew for each run.
"""

import contextlib
import json
import os
import sys
import traceback
import types
import typing
from typing import Any

MODULE = "solution"
"""What the program is called for tests that import it."""
_EXCUSED = ("skip", "skipif", "xfail")  # marks of tests that need not pass
_LONGEST = 10_000  # bits of whole numbers that are written in decimals, which Python refuses for long ones


def encode(value: Any, tuples: bool = False) -> Any:
    """Return a value as JSON that tells apart what Python does; NumPy's values are plain ones.

    Args:
        value: What is to be written.
        tuples: Whether tuples stay what they are, as in arguments; else they are lists.

    Raises:
        TypeError: It holds something that no test can expect, such as an object of a class.
    """
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, int) and value.bit_length() > _LONGEST:
        return {"int": hex(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        items = [encode(item, tuples) for item in value]
        return {"tuple": items} if tuples and isinstance(value, tuple) else items
    if isinstance(value, set | frozenset):
        return {"set": sorted((encode(item, tuples) for item in value), key=json.dumps)}
    if isinstance(value, dict):
        return {"dict": [[encode(key, tuples), encode(item, tuples)] for key, item in value.items()]}
    raise TypeError(f"a value of type {type(value).__name__} cannot be compared")


def decode(said: Any) -> Any:
    """Return the value that `encode` wrote; the members of a set and the keys of a dictionary are hashable again."""
    if isinstance(said, list):
        return [decode(item) for item in said]
    if isinstance(said, dict) and "tuple" in said:
        return tuple(decode(item) for item in said["tuple"])
    if isinstance(said, dict) and "set" in said:
        return {hashable(decode(item)) for item in said["set"]}
    if isinstance(said, dict) and "int" in said:
        return int(said["int"], 16)
    if isinstance(said, dict):
        return {hashable(decode(key)): decode(item) for key, item in said["dict"]}
    return said


def hashable(value: Any) -> Any:
    """Return what `decode` made of a tuple as one again, so that it can be the key of a dictionary."""
    return tuple(map(hashable, value)) if isinstance(value, list) else value


def main() -> None:
    """Do what standard input says, and end the process, whatever threads the program has left."""
    request = json.loads(sys.stdin.buffer.read())
    channel = os.dup(1)
    os.dup2(2, 1)
    nothing, end = os.pipe()
    os.close(end)
    os.dup2(nothing, 0)
    status = 0
    try:
        said = _called(**request["call"]) if "call" in request else _tested(**request["test"])
    except MemoryError:
        said = {"failed": "memory"}
    except SystemExit:
        said = {"failed": "exit"}
    except BaseException as error:
        said, status = {"failed": "compile" if isinstance(error, SyntaxError) else "error"}, 1
        _tell(error)
    line = (request["mark"] + json.dumps(said) + "\n").encode("utf-8", "backslashreplace")
    while line:
        line = line[os.write(channel, line) :]
    with contextlib.suppress(Exception):  # whatever the program put in their place
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


def _called(entry: str, arguments: list[Any]) -> dict[str, Any]:
    module = _program()
    function = getattr(module, entry, None)
    if function is getattr(typing, entry, None):  # no function of the program's
        function = None
    if function is None and hasattr(module, "Solution"):
        function = getattr(module.Solution(), entry, None)
    if function is None:
        raise NameError(f"there is no function '{entry}'")
    return {"value": encode(function(*decode(arguments)))}


def _program() -> types.ModuleType:
    """Return the program as a module; the names of `typing` are there, as statements of problems take for granted."""
    file = f"{MODULE}.py"
    module = types.ModuleType(MODULE)
    vars(module).update({name: getattr(typing, name) for name in typing.__all__}, __file__=file)
    sys.modules[MODULE] = module
    with open(file, "rb") as source:
        exec(compile(source.read(), file, "exec", dont_inherit=True), vars(module))
    return module


def _tested(tests: str, by_pytest: bool) -> dict[str, Any]:
    """Return how many tests there were and how many failed; a file without test functions is one test."""
    _program()
    if by_pytest:
        return _by_pytest(tests)
    space: dict[str, Any] = {"__name__": "tests"}
    try:
        exec(compile(tests, "tests.py", "exec"), space)
    except Exception as error:
        _tell(error)
        return {"tests": 1, "failures": 1}
    found = [
        value for name, value in space.items() if name.startswith("test") and isinstance(value, types.FunctionType)
    ]
    return {"tests": len(found) or 1, "failures": sum(map(_fails, found))}


def _fails(test: types.FunctionType) -> bool:
    try:
        running = test()
        if isinstance(running, types.CoroutineType):
            import asyncio

            asyncio.run(running)
    except Exception as error:
        _tell(error)
        return True
    return False


def _by_pytest(tests: str) -> dict[str, Any]:
    import pytest

    asked, passed, failed = set[str](), set[str](), set[str]()

    class Watch:
        def pytest_collectreport(self, report: Any) -> None:
            failed.update([report.nodeid] if report.failed else [])

        def pytest_collection_finish(self, session: Any) -> None:
            asked.update(one.nodeid for one in session.items if not any(map(one.get_closest_marker, _EXCUSED)))

        def pytest_runtest_logreport(self, report: Any) -> None:
            if report.failed or (report.when == "call" and report.passed):
                (failed if report.failed else passed).add(report.nodeid)

    with open("test_solution.py", "w", encoding="utf-8") as file:
        file.write(tests)
    sys.path.insert(0, os.getcwd())
    pytest.main(["-q", "--no-header", "--tb=short", "-p", "no:cacheprovider", file.name], plugins=[Watch()])
    failed |= asked - passed  # a program may skip its test, or stop them all
    return {"tests": len(failed | passed), "failures": len(failed)}


def _tell(error: BaseException) -> None:
    """Print a traceback without the frames of this file."""
    told = traceback.TracebackException.from_exception(error)
    here = main.__code__.co_filename
    told.stack = traceback.StackSummary.from_list([frame for frame in told.stack if frame.filename != here])
    print("".join(told.format()), file=sys.stderr)


if __name__ == "__main__":
    main()
