// why: Templates are a language that runs while compiling, and need not end.
// expect: status=error|time_limit|memory_limit|output_limit
// expect: stage=compile
// limits: compile_seconds=1 memory_mb=512
template <int n, int m> struct Tower {
    static const int value = Tower<n - 1, m * 2>::value + Tower<n - 1, m * 2 + 1>::value;
};
template <int m> struct Tower<0, m> { static const int value = m; };
int main() { return Tower<26, 0>::value; }
