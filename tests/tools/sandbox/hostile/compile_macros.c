// why: Thirty macros, each of them twice the one before.
// expect: status=error|time_limit|memory_limit|output_limit
// expect: stage=compile
// limits: compile_seconds=1 memory_mb=512
#define A(x) x + x
#define B(x) A(A(A(A(x))))
#define C(x) B(B(B(B(x))))
#define D(x) C(C(C(x)))
int main(void) { return D(D(1)); }
