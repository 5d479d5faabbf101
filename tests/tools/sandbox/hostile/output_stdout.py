# why: Endless output fills the memory of whoever collects it.
# expect: status=output_limit
# stdout: xxxx
# limits: output_kb=64
for _ in range(3000):
    print("x" * 1000)
print("y" * 10, "all written")
