// why: Bit 30 of a system call's number selects the x32 table: ptrace has another number there.
// expect: status=finished
// stdout: contained
// needs: x86_64
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

int main(void) {
    if (syscall(0x40000000 + 39) > 0) puts("BREACH getpid");
    if (syscall(0x40000000 + 521, 0, 0, 0, 0) == 0) puts("BREACH ptrace");
    puts("contained");
    return 0;
}
