# why: Reading and writing at once ends in a deadlock if the sandbox does one after the other.
# expect: status=finished
# stdout: xxxx
# stdin: 1000000
# limits: output_kb=1024
import sys

while line := sys.stdin.readline():
    sys.stdout.write(line)
