# why: core_pattern, sysrq and release_agent run things as the host's root; opening them to write is proof enough.
# expect: status=finished
# stdout: contained
# outside: BREACH root
import os

for path in (
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/vm/overcommit_memory",
    "/proc/sysrq-trigger",
    "/proc/sys/fs/binfmt_misc/register",
    "/sys/kernel/uevent_helper",
    "/sys/fs/cgroup/memory/release_agent",
    "/sys/power/state",
    "/proc/1/oom_score_adj",
):
    try:
        os.close(os.open(path, os.O_WRONLY))
        print("BREACH", path)
    except OSError:
        continue
print("contained")
