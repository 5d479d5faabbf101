# why: A shell hands the environment on to all that it starts.
# expect: status=finished
# stdout: contained
# outside: BREACH
env | grep 'SECRET-' && echo BREACH
(cat /proc/self/environ /proc/$PPID/environ | tr '\0' '\n' | grep 'SECRET-') && echo BREACH
echo contained
