// why: As fast as a machine writes, for as long as it is let.
// expect: status=output_limit
// limits: output_kb=64
#include <string.h>
#include <unistd.h>

int main(void) {
    char block[65536];
    memset(block, 'x', sizeof block);
    for (int n = 0; n < 100000; n++)
        if (write(1, block, sizeof block) < 0) return 1;
    return 0;
}
