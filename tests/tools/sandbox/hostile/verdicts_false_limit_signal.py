# why: SIGXCPU and SIGXFSZ can be sent by hand; that is no evidence of a limit of the sandbox.
# expect: status=error exit_code=-24
import os
import signal

signal.signal(signal.SIGXCPU, signal.SIG_DFL)
os.kill(os.getpid(), signal.SIGXCPU)
