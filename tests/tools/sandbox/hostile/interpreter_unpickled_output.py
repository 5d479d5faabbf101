# why: A pickle as output must never be loaded by whoever reads it.
# expect: status=finished
# stdout: posix
import os
import pickle


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch /tmp/unpickled",)


os.write(1, pickle.dumps(Bomb(), protocol=0))
