// why: The assembler takes any file into the program, byte by byte.
// expect: status=error
// expect: stage=compile
#include "world.h"
#include <stdio.h>
__asm__(".globl stolen\nstolen:\n.incbin \"" SECRET_FILE "\"\n.byte 0\n");
extern char stolen[];
int main(void) { printf("BREACH %s\n", stolen); return 0; }
