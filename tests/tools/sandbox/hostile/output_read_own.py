# why: A program that reads its own output pipe, or writes into its own input, takes nothing from anybody else.
# expect: status=finished|error
# stdin: 100
import os

for number, action in ((1, lambda n: os.read(n, 10)), (2, lambda n: os.read(n, 10)), (0, lambda n: os.write(n, b"x"))):
    try:
        print("did", number, action(number))
    except OSError as error:
        print("did not", number, error)
