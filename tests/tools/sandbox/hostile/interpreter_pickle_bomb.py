# why: Unpickling is running; what it starts is in the same sandbox.
# expect: status=finished|error
# stdout: contained
import json
import os
import pickle
from pathlib import Path

world = json.loads(Path("world.json").read_text())


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"cat {world['secret_file']} /proc/{world['parent']}/environ && echo BREACH",)


pickle.loads(pickle.dumps(Bomb()))
print("contained", flush=True)
pickle.loads(b"(lp0\n" + b"(lp1\n" * 100_000)
