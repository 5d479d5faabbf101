// why: The parent of a vfork sleeps uninterruptibly until its child moves.
// expect: status=time_limit
// limits: seconds=1
#define _DEFAULT_SOURCE
#include <unistd.h>

int main(void) {
    if (vfork() == 0) {
        sleep(60);
        _exit(0);
    }
    return 0;
}
