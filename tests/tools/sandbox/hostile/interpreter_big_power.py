# why: One operator is enough for minutes within a single bytecode.
# expect: status=time_limit
# limits: seconds=1 memory_mb=512
print(len(str(7 ** (7**9))) > 0)
