// why: One line of source, two gigabytes of program.
// expect: status=error|time_limit|memory_limit
// expect: stage=compile
// limits: compile_seconds=2 memory_mb=512 disk_mb=16
char huge[2000000000] = {1};
int main(void) { return huge[0]; }
