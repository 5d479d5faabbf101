# why: NULs, half characters, surrogates and escape sequences must not break what reads the result.
# expect: status=finished
# stdout: \x00|\ufffd|\ufffd\ufffd|\x1b[2J|end
import sys

sys.stdout.buffer.write(b"\x00|\xff|\xfe\xfd|\x1b[2J|end\n")
sys.stderr.buffer.write(bytes(range(256)))
