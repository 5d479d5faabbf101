# why: A regular expression that takes exponentially long holds the interpreter's lock and hears no Python signal.
# expect: status=time_limit
# limits: seconds=1
import re

re.match(r"(a+)+$", "a" * 40 + "b")
