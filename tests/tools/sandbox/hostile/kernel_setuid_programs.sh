# why: sudo, su, mount and ping are set-uid: starting them must not give their owner's rights.
# expect: status=finished
# stdout: contained
for program in /usr/bin/su /usr/bin/mount /usr/bin/passwd /usr/bin/newgrp /usr/bin/sudo; do
    [ -u "$program" ] && grep -H NoNewPrivs /proc/self/status 2> /dev/null | grep -q ':.*0$' && echo "BREACH $program"
done
cp /bin/sh ./shell 2> /dev/null && chmod 4755 ./shell 2> /dev/null && ./shell -p -c '[ "$(id -u)" = 0 ]' && echo BREACH
echo contained
