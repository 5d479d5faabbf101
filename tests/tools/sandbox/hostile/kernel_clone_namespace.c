// why: clone and clone3 make namespaces like unshare; clone3 hides its flags from seccomp behind a pointer.
// expect: status=finished
// stdout: contained
// needs: x86_64
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void) {
    unsigned long kinds[] = {CLONE_NEWUSER, CLONE_NEWUSER | CLONE_NEWNET, CLONE_NEWUSER | CLONE_NEWNS, CLONE_NEWPID};
    for (int n = 0; n < 4; n++) {
        long child = syscall(SYS_clone, kinds[n] | SIGCHLD, 0, 0, 0, 0);
        if (child == 0) _exit(0);
        if (child > 0) printf("BREACH clone %lx\n", kinds[n]);
        struct { uint64_t flags, pidfd, child, parent, signal, stack, size, tls; } wish = {.flags = kinds[n], .signal = SIGCHLD};
        child = syscall(435, &wish, sizeof wish);
        if (child == 0) _exit(0);
        if (child > 0) printf("BREACH clone3 %lx\n", kinds[n]);
    }
    puts("contained");
    return 0;
}
