// why: A constructor runs before main; leaving there is leaving without an answer.
// expect: status=finished exit_code=0
// stdout lacks: 42
#include <stdio.h>
#include <unistd.h>
__attribute__((constructor)) static void early(void) { _exit(0); }
int main(void) { puts("42"); return 0; }
