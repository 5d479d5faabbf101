# why: Locale and time zone are the process's, and must be its own alone.
# expect: status=finished
# stdout: elsewhere
import contextlib
import locale
import os
import time

for name in ("de_DE.UTF-8", "tr_TR.UTF-8", "C.UTF-8", "POSIX"):
    with contextlib.suppress(locale.Error):
        locale.setlocale(locale.LC_ALL, name)
os.environ.update(
    TZ="Pacific/Kiritimati", LANG="tr_TR", LC_ALL="tr_TR", PYTHONHASHSEED="1", PYTHONSTARTUP="/etc/passwd"
)
time.tzset()
print("elsewhere", time.tzname)
