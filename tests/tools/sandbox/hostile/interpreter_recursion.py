# why: Deep recursion ends in an exception as long as the limit of the interpreter stands.
# expect: status=error exit_code=1
# stderr: RecursionError
def down(depth: int) -> int:
    return down(depth + 1) + 1


down(0)
