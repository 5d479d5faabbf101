# why: The same ways out for a program that is no Python.
# expect: status=finished
# stdout: contained
# outside: BREACH
. ./world.sh
for path in "$secret_file" "../../../../../../..$secret_file" "/proc/1/root$secret_file" "/proc/$parent/environ"; do
    if content=$(tr '\0' '\n' < "$path") && [ -n "$content" ]; then
        echo "BREACH $content"
    fi
done
cd / && ls -la "$home" && echo BREACH
echo contained
