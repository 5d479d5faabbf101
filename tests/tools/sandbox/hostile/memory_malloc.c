// why: Memory that is asked for and touched, page by page, until there is none.
// expect: status=error|memory_limit
// limits: memory_mb=256
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void) {
    for (int n = 0; n < 900; n++) {
        char *block = malloc(1 << 20);
        if (!block) return 3;
        memset(block, 1, 1 << 20);
    }
    puts("BREACH");
    return 0;
}
