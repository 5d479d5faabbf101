// why: An endless loop without a single system call.
// expect: status=time_limit
// limits: seconds=1
int main(void) {
    for (volatile unsigned long long n = 0; n < 40000000000ull; n++) {}
    return 0;
}
