"""Compares answers with math-verify, in a process of its own: `python judge_process.py SECONDS`.

Reads lines of JSON `[gold, answer]` and answers each with `true` or `false`. math-verify bounds its own time by a
signal, which works in a main thread alone and measures a busy machine's time; here a comparison is bounded by
processor time, SECONDS, after which the system ends the process, and by memory.
"""

import json
import logging
import resource
import sys

_MEMORY = 3 * 2**30


def main() -> None:
    """Answer until the input ends."""
    from math_verify import parse, verify

    seconds = int(sys.argv[1])
    logging.disable(logging.CRITICAL)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = sys.stdout
    sys.stdout = sys.stderr
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        gold, answer = json.loads(line)
        spent = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
        resource.setrlimit(resource.RLIMIT_CPU, (int(spent) + 1 + seconds, resource.RLIM_INFINITY))
        try:
            golds, read = (parse(text, parsing_timeout=None) for text in (gold, answer))
            same = bool(golds and read) and verify(golds, read, timeout_seconds=None)
        except Exception:  # what cannot be read is no answer
            same = False
        print(json.dumps(bool(same)), file=answers, flush=True)


if __name__ == "__main__":
    main()
