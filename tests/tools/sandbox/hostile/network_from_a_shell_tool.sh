# why: curl, wget, nc, ssh and perl stand in the system's folders and know the way.
# expect: status=finished
# stdout: contained
# outside: BREACH
. ./world.sh
exec 2> /dev/null
for attempt in "curl -s -m 2 http://127.0.0.1:$tcp" "wget -q -T 2 -O- http://127.0.0.1:$tcp" "nc -w 2 127.0.0.1 $tcp" \
    "perl -MIO::Socket::INET -e print(IO::Socket::INET->new('127.0.0.1:$tcp')->getline)"; do
    answer=$(timeout 3 $attempt < /dev/null | tr -d '\0')
    case "$answer" in *SECRET*) echo "BREACH $attempt $answer" ;; esac
done
echo contained
