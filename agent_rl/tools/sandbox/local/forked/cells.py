"""An interpreter that runs one cell after the other, as a notebook does, and forks itself on demand.

What only sessions need is imported by them: every module of the fork server makes every run slower.
"""

import json
import os
import socket
import sys
from typing import Any, NoReturn

from . import program

_MOST_BYTES = 65536  # of one message
_NOTHING = "/dev/null"


def serve(control: int) -> NoReturn:
    """Run the cells that come through a socket, until that is closed; never returns.

    A cell comes with descriptors of its code, its standard output and its standard error; `fork` with a new socket.
    """
    names, channel, number = program.enter_main(), socket.socket(fileno=control), 0
    _say(channel, {})
    while True:
        data, descriptors, _, _ = socket.recv_fds(channel, _MOST_BYTES, 3)
        if not data:
            os._exit(0)
        order, me = json.loads(data), os.getpid()
        if order["do"] == "fork":
            channel = _forked(channel, *descriptors)
            continue
        number += 1
        exit_code = _run_cell(number, names, *descriptors)
        if os.getpid() != me:  # a process that the cell has forked, and that came to the cell's end
            os._exit(exit_code)
        _say(channel, {"exit": exit_code, "cell": order["cell"]})


def _say(channel: socket.socket, message: dict[str, Any]) -> None:
    channel.send(json.dumps(message).encode())


def _run_cell(number: int, names: dict[str, Any], source: int, stdout: int, stderr: int) -> int:
    """Run a cell with streams of its own and return its exit code."""
    with open(source, "rb") as file:
        code = file.read().decode(errors="surrogatepass")
    _connect(stdout, stderr)
    os.close(stdout)
    os.close(stderr)
    exit_code = _evaluated(f"<cell {number}>", code, names)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            exit_code = exit_code or 120
    nothing = os.open(_NOTHING, os.O_WRONLY)
    _connect(nothing, nothing)
    os.close(nothing)
    return exit_code


def _connect(stdout: int, stderr: int) -> None:
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)


def _evaluated(name: str, code: str, names: dict[str, Any]) -> int:
    """Run code, write the value of a last expression, and return the exit code."""
    import ast
    import linecache
    import traceback

    linecache.cache[name] = (len(code), None, [f"{line}\n" for line in code.splitlines()], name)
    try:
        tree = ast.parse(code, name)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, name, "exec", dont_inherit=True), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), name, "eval", dont_inherit=True), names)
            sys.displayhook(value)
        return 0
    except SystemExit as stop:
        return program.code_of(stop)
    except BaseException as error:
        trace = error.__traceback__
        traceback.print_exception(error.with_traceback(trace.tb_next if trace else None))
        return 1


def _forked(channel: socket.socket, new: int) -> socket.socket:
    """Fork a second interpreter that listens to the socket `new`; return the socket that this process listens to.

    It is no descendant of this one, but of init, so that the two can be ended apart. Its files are a copy in a folder
    of its own, and its random numbers go on as this one's do.
    """
    import shutil

    random = sys.modules.get("random")
    state = random.getstate() if random else None
    sys.stdout.flush()
    try:
        child = os.fork()
    except OSError:  # there are too many processes already; the closed socket says so
        os.close(new)
        return channel
    if child:
        os.close(new)
        os.waitpid(child, 0)
        return channel
    try:
        if os.fork():
            os._exit(0)
    except OSError:
        os._exit(1)
    channel.close()
    os.setpgid(0, 0)
    if random:
        random.setstate(state)
    here = os.getcwd()
    copy = f"{here}-{os.getpid()}"
    shutil.copytree(here, copy, symlinks=True, ignore_dangling_symlinks=True)
    os.chdir(copy)
    sys.path[:] = [copy if path == here else path for path in sys.path]
    channel = socket.socket(fileno=new)
    _say(channel, {})
    return channel
