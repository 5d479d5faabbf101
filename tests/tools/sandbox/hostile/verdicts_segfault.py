# why: A crash of the interpreter is the program's, not the sandbox's.
# expect: status=error exit_code=-11
import ctypes

ctypes.string_at(0)
