# why: timeout's exit code is not a time limit.
# expect: status=error exit_code=124
exit 124
