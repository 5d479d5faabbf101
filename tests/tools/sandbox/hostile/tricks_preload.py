# why: LD_PRELOAD and PYTHONPATH reach only what the program itself starts.
# expect: status=finished
# stdout: contained
import os
import subprocess
from pathlib import Path

here = os.getcwd()
Path("sitecustomize.py").write_text("print('loaded')\n")
os.environ.update(
    LD_PRELOAD=f"{here}/no.so", LD_LIBRARY_PATH=here, PYTHONPATH=here, BASH_ENV=f"{here}/sitecustomize.py"
)
subprocess.run(["/bin/true"], check=False, capture_output=True, timeout=5)
print("contained")
