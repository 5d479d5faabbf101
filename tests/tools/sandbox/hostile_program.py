"""What the hostile programs say of themselves at their tops, and whether a result is what they say.

A header is a block of comments before the code, one `key: value` a line:

    why:           what it tries, in one sentence
    expect:        status=, exit_code=, stage=; alternatives stand with | between them
    stdout:        a text that standard output contains, with escapes as in Python; may be said several times
    stdout lacks:  a text that it does not contain; likewise `stderr`, `stderr lacks`
    limits:        limits by name, where they are not those of `LIMITS`
    stdin:         how many bytes of input it is given; none by default
    fetch:         the files to bring back
    fetched:       which of them come, or `nothing`
    outside:       BREACH, where the attack succeeds without a sandbox; BREACH root, where that takes root
    needs:         the only machine that it is written for

Whatever the header says, no program may write the word BREACH to standard output, and none may know the secret.
"""

import platform
import re
from dataclasses import dataclass, field
from pathlib import Path

from agent_rl.tools.sandbox.base import Limits, Program, Result

FOLDER = Path(__file__).parent / "hostile"
LANGUAGES = {".py": "python", ".sh": "bash", ".c": "c", ".cpp": "cpp"}
LIMITS = {"seconds": 10, "compile_seconds": 10, "memory_mb": 256, "output_kb": 64, "disk_mb": 16, "processes": 16}
_LINE = re.compile(r"(?:#|//) ([a-z ]+): (.*)")
_KEYS = {"why", "expect", "stdout", "stdout lacks", "stderr", "stderr lacks", "limits", "stdin", "fetch", "fetched"}
_KEYS |= {"outside", "needs"}


@dataclass(frozen=True)
class Hostile:
    """A hostile program and what must become of it.

    Attributes:
        path: Its file.
        said: What its header says, every value by key in the order of the lines.
    """

    path: Path
    said: dict[str, list[str]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its file's name."""
        return self.path.name

    @property
    def runs_here(self) -> bool:
        """Whether it is written for this machine."""
        return platform.machine() in self.said.get("needs", [platform.machine()])

    @property
    def stdin(self) -> str:
        """Its standard input."""
        return ("x" * 99 + "\n") * (int(self.said.get("stdin", ["0"])[0]) // 100)

    @property
    def fetch(self) -> tuple[str, ...]:
        """The files to bring back."""
        return tuple(" ".join(self.said.get("fetch", [])).split())

    def succeeds_outside(self, root: bool) -> bool:
        """Return whether its attack succeeds without a sandbox, for root or for anybody."""
        return self.said.get("outside") in ([["BREACH"], ["BREACH root"]] if root else [["BREACH"]])

    def program(self, world: dict[str, bytes]) -> Program:
        """Return it as a program, with files that tell it all that an attacker could know."""
        limits = Limits.model_validate(LIMITS | _settings(self.said.get("limits", [])))
        language = LANGUAGES[self.path.suffix]
        return Program(self.path.read_text(), language, files=world, fetch=self.fetch, limits=limits)

    def complaints(self, result: Result, secret: str) -> list[str]:
        """Return what is not as the header says, a sentence each."""
        seen = {"status": result.status.value, "exit_code": str(result.exit_code), "stage": result.stage}
        found = [
            f"{key} is {seen[key]}, not {wished}"
            for key, wished in ({"stage": "run"} | _settings(self.said["expect"])).items()
            if seen[key] not in wished.split("|")
        ]
        for stream, text in (("stdout", result.stdout), ("stderr", result.stderr)):
            found += [
                f"{stream} lacks {part!r}" for part in map(_unescaped, self.said.get(stream, ())) if part not in text
            ]
            found += [f"{stream} has {part!r}" for part in self.said.get(f"{stream} lacks", ()) if part in text]
        fetched = self.said.get("fetched")
        if fetched and " ".join(sorted(result.files)) != fetched[0].replace("nothing", ""):
            found.append(f"fetched {sorted(result.files)}")
        if "BREACH" in result.stdout or any(line.startswith("BREACH") for line in result.stderr.splitlines()):
            found.append("the attack succeeded")
        if secret in result.stdout + result.stderr or secret.encode() in b"".join(result.files.values()):
            found.append("it knows the secret")
        return found


def read(path: Path) -> Hostile:
    """Return a program with its header read.

    Raises:
        ValueError: The header has a line that says nothing, or lacks `why` or `expect`.
    """
    said: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            break
        if match[1] not in _KEYS:
            raise ValueError(f"{path.name}: nothing is known of {match[1]!r}")
        said.setdefault(match[1], []).append(match[2])
    if not {"why", "expect"} <= set(said) or "status" not in _settings(said["expect"]):
        raise ValueError(f"{path.name} does not say why, or what status to expect")
    return Hostile(path, said)


def every() -> list[Hostile]:
    """Return all that run on this machine, by name."""
    found = [read(path) for path in sorted(FOLDER.iterdir()) if path.suffix in LANGUAGES]
    return [hostile for hostile in found if hostile.runs_here]


def _settings(lines: list[str]) -> dict[str, str]:
    """Return `a=1 b=2` as a dictionary."""
    return dict(part.split("=", 1) for line in lines for part in line.split())


def _unescaped(text: str) -> str:
    return text.encode("latin-1", "backslashreplace").decode("unicode_escape")
