# why: Exceptions that no except Exception catches: SystemExit with odd values, GeneratorExit, one of its own.
# expect: status=error exit_code=1
# stdout: raised
# stderr: out of the way
import sys

print("raised", flush=True)


class Rude(BaseException):
    def __str__(self) -> str:
        return "out of the way"


try:
    sys.exit(["not", "a", "number"])
except SystemExit:
    raise Rude from None
