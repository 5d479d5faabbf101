# why: Files named as modules of the standard library shadow them for the program alone.
# expect: status=finished
# stdout: shadowed
from pathlib import Path

for name in ("json", "os", "sys", "encodings", "sitecustomize", "usercustomize", "random", "struct"):
    Path(f"{name}.py").write_text("print('BREACH'); raise SystemExit(0)\n")
print("shadowed")
