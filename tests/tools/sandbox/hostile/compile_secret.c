// why: A header of the program's choice is read with the compiler's rights: these must be the sandbox's.
// expect: status=error
// expect: stage=compile
#include "world.h"
#define QUOTED(x) #x
#include SECRET_FILE
int main(void) { return 0; }
