// why: A compiler's complaints can be longer than any program's output; what is kept is their beginning.
// expect: status=error|output_limit
// expect: stage=compile
// limits: output_kb=64 memory_mb=512 compile_seconds=10
#define ONE undeclared.x = another[no::such<thing>(0)];
#define TEN ONE ONE ONE ONE ONE ONE ONE ONE ONE ONE
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#pragma GCC diagnostic error "-Wall"
int main() { HUNDRED HUNDRED HUNDRED }
