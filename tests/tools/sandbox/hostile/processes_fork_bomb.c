// why: vfork and clone are further doors to the same room.
// expect: status=finished
// stdout: contained
// limits: processes=16
// needs: x86_64
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void) {
    int born = 0;
    while (born < 400) {
        long child = born % 2 ? syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) : fork();
        if (child < 0) break;
        if (child == 0) { sleep(5); _exit(0); }
        born++;
    }
    puts(born <= 16 ? "contained" : "BREACH");
    return 0;
}
