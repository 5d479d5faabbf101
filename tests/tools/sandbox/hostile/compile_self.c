// why: A file that includes itself.
// expect: status=error|time_limit|memory_limit|output_limit
// expect: stage=compile
// limits: compile_seconds=2 memory_mb=512
#include __FILE__
#include __FILE__
int main(void) { return 0; }
