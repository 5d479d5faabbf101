# why: When the machine runs out of memory, the kernel must end a program before whoever runs it.
# expect: status=finished
# stdout: contained
import contextlib
from pathlib import Path

score = Path("/proc/self/oom_score_adj")
with contextlib.suppress(OSError):
    score.write_text("0")
    print("BREACH: it spared itself")
print("contained" if int(score.read_text()) >= 500 else f"BREACH: {score.read_text()}")
