# why: The classic, in a shell, ten generations deep at most.
# expect: status=finished|error|time_limit
# limits: seconds=1 processes=16
bomb() {
    [ "$1" -gt 8 ] && sleep 5 && return
    bomb $(($1 + 1)) &
    bomb $(($1 + 1)) &
    wait
}
bomb 0 2> /dev/null
