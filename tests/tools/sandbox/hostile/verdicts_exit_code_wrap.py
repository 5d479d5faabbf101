# why: Exit codes wrap at 256: a program that fails with 256 says that it succeeded, and is taken at its word.
# expect: status=finished|error
import os

os._exit(256)
