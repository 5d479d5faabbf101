# why: As much as allowed is no offence, and nothing of it is lost.
# expect: status=finished
# stdout: the end
# limits: output_kb=64
print("x" * (64 * 1024 - 9) + "\nthe end")
