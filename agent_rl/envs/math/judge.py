"""Whether an answer is the same as the gold answer, in whatever form it is written."""

import atexit
import importlib.util
import json
import re
import selectors
import signal
import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path

from agent_rl.core.errors import UserError
from agent_rl.core.outcome import InfrastructureError

LONGEST = 2000
"""Characters of an answer that are looked at; a longer one is wrong."""
SECONDS = 5
"""Processor time that one comparison may take, rounded up by less than one second."""
_PATIENCE = 120.0
"""Seconds without an answer, of a process that is ended after a few of processor time, before the machine is blamed."""
_FRACTION = re.compile(r"([+-]?)\\[dt]?frac\{(\d{1,40})\}\{(\d{1,40})\}")
_MIXED = re.compile(r"([+-]?)(\d{1,40})(?: |\\[dt]?frac\{)(\d{1,40})(?:/|\}\{)([1-9]\d{0,40})\}?")
_SPACES = re.compile(r"\\[,;!:]")  # LaTeX's small spaces, which people write between thousands
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3}){1,9}(\.\d{1,40})?")
_PLAIN = re.compile(r"[+-]?\d{1,40}(\.\d{1,40}|/[1-9]\d{0,40})?")


def require_math_verify() -> None:
    """Raise `UserError` when math-verify is not installed."""
    if importlib.util.find_spec("math_verify") is None:
        raise UserError("env=math needs math-verify: pip install 'agent-rl[math]'")


def same(gold: str, answer: str) -> bool:
    """Return whether `answer` equals `gold`: numbers at once, everything else by math-verify.

    Args:
        gold: A number or an expression, in LaTeX or plain.
        answer: What the policy wrote, at most `LONGEST` characters.

    Raises:
        InfrastructureError: The comparing process cannot be started, or the machine gives it no time.
    """
    gold, answer = _bare(gold), _bare(answer)
    if not answer or len(answer) > LONGEST:
        return False
    if gold == answer:
        return True
    numbers = _number(gold), _number(answer)
    if numbers[0] is not None and numbers[1] is not None:
        return numbers[0] == numbers[1]
    if numbers[0] is not None and numbers[0] == _mixed(answer):
        return True
    return _JUDGE.same(_as_latex(gold), _as_latex(answer))


def _bare(text: str) -> str:
    text = _SPACES.sub("", text.strip().strip("*").rstrip(".").strip())
    for left, right in (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]")):
        if text.startswith(left) and text.endswith(right) and len(text) > len(left) + len(right):
            text = text[len(left) : -len(right)].strip()
    return text


def _number(text: str) -> Fraction | None:
    plain = text.replace("−", "-")
    if fraction := _FRACTION.fullmatch(plain):
        plain = "{}{}/{}".format(*fraction.groups())
    if _THOUSANDS.fullmatch(plain):
        plain = plain.replace(",", "")
    return Fraction(plain) if _PLAIN.fullmatch(plain) else None


def _mixed(text: str) -> Fraction | None:
    """Return the value of a whole number beside a fraction, which is else read as their product."""
    found = _MIXED.fullmatch(text.replace("−", "-"))
    if found is None:
        return None
    sign, whole, above, below = found.groups()
    return (int(whole) + Fraction(int(above), int(below))) * (-1 if sign == "-" else 1)


def _as_latex(text: str) -> str:
    """Return `text` marked as mathematics, as math-verify looks for it; what is marked within stays as it is."""
    return text if "$" in text or r"\boxed" in text else f"${text}$"


class _Judge:
    """A comparing process, started when it is first needed and again when a comparison has ended it."""

    def __init__(self, seconds: int = SECONDS) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def same(self, gold: str, answer: str) -> bool:
        """Ask the process; a comparison that uses up its time or memory makes the answer wrong."""
        with self._lock:
            process = self._process or self._start()
            self._process = None  # until it has answered it is not to be trusted with another
            try:
                assert process.stdin is not None
                process.stdin.write(json.dumps([gold, answer]) + "\n")
                process.stdin.flush()
            except OSError:
                process.kill()
                raise InfrastructureError("math-verify", "its process is gone") from None
            line = _line(process)
            if not line:
                if process.wait() == -signal.SIGKILL:  # not by its own limits
                    raise InfrastructureError("math-verify", "its process was killed")
                return False
            self._process = process
            return bool(json.loads(line))

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _start(self) -> subprocess.Popen[str]:
        command = [sys.executable, str(Path(__file__).with_name("judge_process.py")), str(self._seconds)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(command, text=True, encoding="utf-8", **pipes)  # type: ignore[call-overload]
        if _line(process) != "ready":
            process.kill()
            raise InfrastructureError("math-verify", "its process cannot be started")
        return process  # type: ignore[no-any-return]


def _line(process: subprocess.Popen[str]) -> str:
    """Return the next line of the process, "" when it has ended.

    Raises:
        InfrastructureError: There is none for a long time.
    """
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        if not selector.select(_PATIENCE):
            process.kill()
            raise InfrastructureError("math-verify", f"no answer within {_PATIENCE:g} s")
    return process.stdout.readline().strip()


_JUDGE = _Judge()
atexit.register(_JUDGE.close)
