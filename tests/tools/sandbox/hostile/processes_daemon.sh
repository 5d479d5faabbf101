# why: nohup, setsid and & are how a shell leaves something running.
# expect: status=finished
# stdout: bye
nohup setsid sleep 20 > /dev/null 2>&1 < /dev/null &
(sleep 20 &)
setsid sh -c 'sleep 20; echo still here' &
disown -a
echo bye
