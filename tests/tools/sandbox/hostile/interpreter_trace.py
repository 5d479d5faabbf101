# why: A trace or profile function is called in whatever runs next in this interpreter.
# expect: status=finished|error
# stdout: traced
import sys
import threading


def rude(*arguments: object) -> object:
    raise SystemExit(0)


print("traced", flush=True)
threading.settrace(rude)
sys.setprofile(rude)
sys.settrace(rude)
