# why: An inherited descriptor opens what no path opens: sockets to the server, folders, pipes of other runs.
# expect: status=finished
# stdout: contained
import os
import stat

for number in range(3, 4096):
    try:
        what = os.fstat(number)
    except OSError:
        continue
    print("BREACH", number, stat.filemode(what.st_mode), what.st_ino)
for number in range(3):
    mode = os.fstat(number).st_mode
    if stat.S_ISSOCK(mode) or stat.S_ISDIR(mode):
        print("BREACH", number, stat.filemode(mode))
print("contained")
