"""The languages other than Python: what each is compiled and run with."""

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Language:
    """How programs of a language are run.

    Attributes:
        file: The source's name.
        run: The command; `{memory}` is the limit in MiB.
        needs: The programs that must be installed.
        compile: What makes `made` of the source, where it is compiled.
        made: What is run instead of the source.
        addresses: How many times its memory a process may take of addresses; 0 where its runtime reserves far more.
        where: Returns the folder of the installation, where that is none of the system's.
    """

    file: str
    run: tuple[str, ...]
    needs: tuple[str, ...]
    compile: tuple[str, ...] = ()
    made: str = ""
    addresses: int = 2
    where: Callable[[], str] = lambda: ""

    def roots(self) -> tuple[str, ...]:
        """Return the folders that its programs must be able to read."""
        return tuple(filter(None, (self.where(),)))


def _folder_of(program: str) -> Callable[[], str]:
    """Return what finds the folder two above a program: that of its installation."""
    return lambda: os.path.dirname(os.path.dirname(os.path.realpath(shutil.which(program) or "")))


def _answer(*command: str) -> Callable[[], str]:
    """Return what finds a folder by asking a program for it, once."""
    return cache(lambda: subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip())


_GO = "GOCACHE=$TMPDIR GOPATH=$TMPDIR CGO_ENABLED=0 GO111MODULE=off exec go build -o main main.go"
_JAVA = "javac -J-XX:+UseSerialGC -d classes Main.java && jar cfe main.jar Main -C classes ."
_JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xss64m", "-Xmx{memory}m")
LANGUAGES = {
    "bash": Language("main.sh", ("bash", "main.sh"), ("bash",)),
    "c": Language("main.c", ("./main",), ("gcc",), ("gcc", "-O2", "-o", "main", "main.c", "-lm"), "main"),
    "cpp": Language(
        "main.cpp", ("./main",), ("g++",), ("g++", "-O2", "-std=gnu++17", "-o", "main", "main.cpp"), "main"
    ),
    "node": Language(
        "main.js",
        ("node", "--max-old-space-size={memory}", "main.js"),
        ("node",),
        addresses=0,
        where=_folder_of("node"),
    ),
    "rust": Language(
        "main.rs",
        ("./main",),
        ("rustc", "cc"),
        ("rustc", "-O", "-o", "main", "main.rs"),
        "main",
        where=_answer("rustc", "--print", "sysroot"),
    ),
    "go": Language(
        "main.go", ("./main",), ("go",), ("sh", "-c", _GO), "main", addresses=0, where=_answer("go", "env", "GOROOT")
    ),
    "java": Language(
        "Main.java",
        ("java", *_JVM, "-cp", "main.jar", "Main"),
        ("java", "javac", "jar"),
        ("sh", "-c", _JAVA),
        "main.jar",
        addresses=0,
        where=_folder_of("java"),
    ),
}


def installed() -> tuple[str, ...]:
    """Return the languages whose programs can be run here."""
    return tuple(name for name, language in LANGUAGES.items() if all(map(shutil.which, language.needs)))
