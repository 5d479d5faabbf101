# why: __del__ and collection run when the interpreter is being taken down, where nobody expects code.
# expect: status=time_limit|finished
# limits: seconds=1
class Undead:
    def __del__(self) -> None:
        globals()["again"] = Undead()
        while True:
            pass


again = Undead()
