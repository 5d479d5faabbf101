// why: The 32-bit door of the kernel has other numbers; a filter that reads numbers alone lets the wrong ones pass.
// expect: status=finished|error
// needs: x86_64
// outside: BREACH
#include <stdio.h>
#include <unistd.h>

int main(void) {
    long answer;
    __asm__ volatile("int $0x80" : "=a"(answer) : "a"(20L) : "memory");  // getpid, of 32 bits
    if (answer == getpid()) puts("BREACH");
    return 0;
}
