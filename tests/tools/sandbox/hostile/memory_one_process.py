# why: One allocation far over the limit.
# expect: status=memory_limit
# limits: memory_mb=256
block = bytearray(900 << 20)
print("BREACH", len(block))
