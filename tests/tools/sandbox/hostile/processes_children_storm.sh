# why: Hundreds of short processes one after the other are no offence, and must not wear the sandbox out.
# expect: status=finished
# stdout: done
for _ in $(seq 150); do
    /bin/true
done
echo done
