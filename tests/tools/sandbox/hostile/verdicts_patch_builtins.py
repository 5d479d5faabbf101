# why: What runs after the program in the same interpreter runs with what the program left there.
# expect: status=error|finished
# stdout: patched
import builtins
import contextlib
import io
import json
import os
import pickle
import sys
import time
import traceback

print("patched", flush=True)
for module in (os, json, pickle, time, traceback, io):
    for name in list(vars(module)):
        if not name.startswith("__") and callable(getattr(module, name)):
            with contextlib.suppress(AttributeError, TypeError):
                setattr(module, name, lambda *args, **keywords: 0)
for name in ("print", "open", "repr", "str", "compile", "exec", "isinstance", "len"):
    setattr(builtins, name, lambda *args, **keywords: None)
sys.stdout = sys.stderr = sys.stdin = None
sys.excepthook = sys.unraisablehook = lambda *args: None
sys.exit(3)
