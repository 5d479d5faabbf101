# why: A working folder that is gone or elsewhere must not lead the sandbox's own steps there.
# expect: status=finished
# stdout: gone
import os
import shutil

shutil.rmtree(".", ignore_errors=True)
os.makedirs("here", exist_ok=True)
os.chdir("here")
os.rmdir("../here")
print("gone")
