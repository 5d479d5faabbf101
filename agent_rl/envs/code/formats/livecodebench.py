"""LiveCodeBench: public tests in JSON, private ones as a text that was pickled, compressed and written in base64."""

import base64
import json
import pickletools
import zlib
from typing import Any

from agent_rl.core.rows import Row
from agent_rl.envs.code.formats.parts import parsed
from agent_rl.envs.code.problem import Case, CodeProblem

_TEXTS = {"UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"}
_HARMLESS = {"PROTO", "FRAME", "MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT", "STOP"}
_LARGEST = 1 << 30
"""Bytes that private tests may have when they are unpacked."""


def problem(row: Row, name: str) -> CodeProblem:
    """Return a row as a problem; public and private tests count."""
    public, private = parsed(row["public_test_cases"]), _private(row.get("private_test_cases") or "[]")
    entry = (parsed(row.get("metadata") or "{}")).get("func_name") or ""
    starter = (row.get("starter_code") or "").strip()
    begin = f"\n\nBegin with:\n\n```python\n{starter}\n```" if starter else ""
    cases = [_case(test) for test in (*public, *private)]
    if not cases:
        raise ValueError("there are no tests")
    return CodeProblem(
        id=str(row.get("question_id", name)),
        statement=f"{row['question_content']}{begin}",
        style="function" if entry else "stdio",
        public=tuple(cases[: len(public)]),
        hidden=tuple(cases),
        entry=entry,
        difficulty=row.get("difficulty") or "",
    )


def _case(test: dict[str, Any]) -> Case:
    if test["testtype"] != "functional":
        return Case(test["input"], test["output"])
    arguments = [json.loads(line) for line in test["input"].split("\n") if line.strip()]
    return Case(arguments, json.loads(test["output"]))


def _private(tests: str) -> list[Any]:
    """Return private tests, which are JSON as they stand or packed."""
    if not tests.lstrip().startswith("["):
        tests = unpacked(tests)
    found = json.loads(tests)
    if not isinstance(found, list):
        raise ValueError("private_test_cases are no list")
    return found


def unpacked(packed: str) -> str:
    """Return the text that was pickled, compressed by zlib and written in base64.

    A pickle may run anything when it is loaded, so this one is not: it is read step by step, and may hold a text and
    nothing else.

    Raises:
        ValueError: It is not that.
    """
    try:
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(base64.b64decode(packed, validate=True), _LARGEST)
        if not unpacker.eof:
            raise ValueError(f"they end too early, or after more than {_LARGEST >> 20} MiB")
        steps = [(step.name, argument) for step, argument, _ in pickletools.genops(data)]
    except (ValueError, zlib.error) as error:  # binascii's error is a ValueError
        raise ValueError(f"private_test_cases cannot be unpacked: {error}") from error
    texts = [argument for name, argument in steps if name in _TEXTS]
    others = {name for name, _ in steps} - _TEXTS - _HARMLESS
    if others or len(texts) != 1:
        raise ValueError(f"private_test_cases hold more than a text: {', '.join(sorted(others)) or len(texts)}")
    return str(texts[0])
