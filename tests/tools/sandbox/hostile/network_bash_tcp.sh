# why: Bash connects without any program, through /dev/tcp.
# expect: status=finished
# stdout: contained
# outside: BREACH
. ./world.sh
if exec 3<>"/dev/tcp/127.0.0.1/$tcp"; then
    read -r -t 2 answer <&3
    echo "BREACH $answer"
fi
echo contained
