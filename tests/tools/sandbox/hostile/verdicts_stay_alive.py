# why: With os._exit patched away the interpreter could return into the fork server's loop as a second server.
# expect: status=error
# stdout: once
import contextlib
import os
import sys

print("once", flush=True)


class Immortal(BaseException):
    def __del__(self) -> None:
        raise Immortal


os._exit = sys.exit = os.abort = os.kill = lambda *args: None
with contextlib.suppress(AttributeError):
    del sys.modules["__main__"]
raise Immortal
