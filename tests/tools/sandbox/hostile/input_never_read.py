# why: Megabytes of input that nobody reads must not hold up whoever writes them.
# expect: status=finished
# stdout: contained
# stdin: 8000000
print("contained")
