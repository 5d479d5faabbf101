# why: A program that moves itself into another cgroup has left its limits behind.
# expect: status=finished
# stdout: contained
# outside: BREACH root
import os

for where, folders, names in os.walk("/sys/fs/cgroup"):
    if where.count("/") > 6:
        folders.clear()
    for name in names:
        if name in ("cgroup.procs", "tasks", "memory.max", "memory.limit_in_bytes", "cgroup.kill"):
            try:
                os.close(os.open(os.path.join(where, name), os.O_WRONLY))
                print("BREACH", where, name)
            except OSError:
                continue
print("contained")
