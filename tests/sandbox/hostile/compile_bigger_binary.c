// why: A binary of hundreds of megabytes must not be taken into the memory of whoever runs the sandbox.
// expect: status=error|memory_limit|time_limit
// expect: stage=compile
// limits: compile_seconds=3 disk_mb=16
char huge[400000000] = {1};
int main(void) { return huge[12345]; }
