// why: Recursion without an end meets the end of the stack.
// expect: status=error|memory_limit
#include <stdio.h>

static int down(volatile char *above) {
    volatile char frame[4096];
    frame[0] = above[0];
    return down(frame) + frame[1];
}

int main(void) {
    volatile char top[1] = {1};
    printf("%d\n", down(top));
    return 0;
}
