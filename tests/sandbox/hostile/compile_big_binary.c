// why: A binary larger than what a run may write: cut short it would crash for a reason that is not its own.
// expect: status=finished
// limits: compile_seconds=10 disk_mb=16
char huge[60000000] = {1};
int main(void) { return huge[59999999]; }
