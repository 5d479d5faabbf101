// why: A device as a header never ends.
// expect: status=error|time_limit|memory_limit|output_limit
// expect: stage=compile
// limits: compile_seconds=1 memory_mb=512
#include "/dev/zero"
int main(void) { return 0; }
