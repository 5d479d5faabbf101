# why: Many small allocations, each of them harmless.
# expect: status=memory_limit
# limits: memory_mb=256
kept = []
while len(kept) < 900:
    kept.append(bytearray(b"x") * (1 << 20))
print("BREACH", len(kept))
