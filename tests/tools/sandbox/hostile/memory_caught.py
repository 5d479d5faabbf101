# why: A program that meets its limit and goes on is a finished program; the limit stays.
# expect: status=finished|memory_limit
# limits: memory_mb=256
for _ in range(20):
    try:
        print("BREACH", len(bytearray(900 << 20)))
    except MemoryError:
        continue
print("went on")
