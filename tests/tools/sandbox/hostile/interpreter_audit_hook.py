# why: Audit hooks cannot be removed; in a shared interpreter they would watch every later run.
# expect: status=finished|error
# stdout: hooked
import os
import sys

print("hooked", flush=True)


def hook(event: str, arguments: object) -> None:
    if event.startswith(("os.", "open", "exec", "compile", "import")):
        os.write(2, event.encode() + b"\n")
        raise RuntimeError(event)


sys.addaudithook(hook)
