# why: One file of four times what may be written.
# expect: status=finished|error
# stdout lacks: written
# limits: disk_mb=16
with open("bomb", "wb") as file:
    for _ in range(64):
        file.write(b"x" * (1 << 20))
        file.flush()
print("BREACH: all written")
