# why: Waiting for more input than there is meets the end of the input, not that of time.
# expect: status=error exit_code=1
# stderr: EOFError
input()
input()
