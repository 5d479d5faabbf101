# why: The parser has a stack, too.
# expect: status=finished
# stdout: contained
for opening, closing in (("(", ")"), ("[", "]"), ("-", "1"), ("lambda:", "1"), ("f(", ")")):
    try:
        compile(opening * 50_000 + "1" + closing * 50_000, "nested", "eval")
    except (SyntaxError, MemoryError, RecursionError):
        continue
print("contained")
