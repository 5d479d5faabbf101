// why: The compiler prints what it does not understand: a file of the host, say.
// expect: status=error
// expect: stage=compile
// stderr lacks: root:
#include "/etc/shadow"
int main(void) { return 0; }
