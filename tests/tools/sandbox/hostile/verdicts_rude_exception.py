# why: Writing down an exception calls the program's own code once more, which may fail or never end.
# expect: status=time_limit
# stdout: raised
# limits: seconds=1


class Endless(Exception):
    def __str__(self) -> str:
        while True:
            pass


print("raised", flush=True)
raise Endless
