# why: A sparse file costs no disk, and bringing it back would cost all the memory there is.
# expect: status=finished|error|output_limit
# fetch: loot
# fetched: nothing
import os

with open("loot", "wb") as file:
    os.truncate(file.fileno(), 1 << 42)
