"""Programs in other languages than Python, where they are installed."""

import asyncio
import resource
from typing import Any

import pytest

from agent_rl.tools.sandbox.base import Limits, Program, Result, Status
from agent_rl.tools.sandbox.languages import LANGUAGES
from agent_rl.tools.sandbox.local import LocalSandbox

SQUARES = {
    "bash": "while read -r n; do echo $((n * n)); done",
    "c": '#include <stdio.h>\nint main(void) { long n; while (scanf("%ld", &n) == 1) printf("%ld\\n", n * n); }',
    "cpp": "#include <iostream>\nint main() { long n; while (std::cin >> n) std::cout << n * n << '\\n'; }",
    "node": "const fs = require('fs');\nfor (const n of fs.readFileSync(0, 'utf8').split('\\n').filter(Boolean))\n"
    "  console.log(n * n);",
    "rust": "use std::io::*;\nfn main() { for n in stdin().lines() { let n: i64 = n.unwrap().parse().unwrap(); "
    'println!("{}", n * n); } }',
    "go": 'package main\nimport "fmt"\nfunc main() { var n int; for { if _, e := fmt.Scan(&n); e != nil { break }; '
    "fmt.Println(n * n) } }",
    "java": "import java.util.*;\npublic class Main { public static void main(String[] a) { Scanner s = "
    "new Scanner(System.in); while (s.hasNextLong()) { long n = s.nextLong(); System.out.println(n * n); } } }",
}
_SLOW = {"rust", "go", "java"}
_BOUNDED_STACK = resource.getrlimit(resource.RLIMIT_STACK)[1] != resource.RLIM_INFINITY
_ENDLESS_RECURSION = (Status.ERROR, -11) if _BOUNDED_STACK else (Status.MEMORY_LIMIT, None)


def ran(sandbox: LocalSandbox, language: str, code: str, *inputs: str, **more: Any) -> list[Result]:
    if language not in sandbox.languages:
        pytest.skip(f"{', '.join(LANGUAGES[language].needs)} are not all installed")
    limits = Limits(**({"seconds": 30.0, "compile_seconds": 100.0} | more.pop("limits", {})))
    return asyncio.run(sandbox.run_each(Program(code, language, limits=limits, **more), inputs or [""]))


@pytest.mark.parametrize(
    "language", [pytest.param(name, marks=pytest.mark.slow) if name in _SLOW else name for name in LANGUAGES]
)
def test_a_program_runs_for_each_input(sandbox: LocalSandbox, language: str) -> None:
    results = ran(sandbox, language, SQUARES[language], "3\n4\n", "5\n", "")
    assert [(result.status, result.stdout) for result in results] == [
        (Status.FINISHED, "9\n16\n"),
        (Status.FINISHED, "25\n"),
        (Status.FINISHED, ""),
    ], results[0].stderr
    assert {result.tier for result in results} == {"namespaces"}


def test_what_does_not_compile_says_so_and_never_runs(sandbox: LocalSandbox) -> None:
    first, second = ran(sandbox, "c", "int main(void) { return x; }", "", "")
    assert (first.status, first.stage, first.exit_code) == (Status.ERROR, "compile", 1)
    assert "error: " in first.stderr
    assert second == first


def test_compiling_has_a_deadline(sandbox: LocalSandbox) -> None:
    code = (
        "#include <vector>\nconstexpr int f(int n) { int s = 0; for (int i = 0; i < n; i++) s += i % 7; return s; }\n"
    )
    code += "".join(f"template<int N> struct A{i} {{ static constexpr int v = f(250000 + N); }};\n" for i in range(50))
    code += "int main() { return 0" + "".join(f" + A{i}<{i}>::v" for i in range(50)) + "; }"
    (result,) = ran(sandbox, "cpp", code, limits={"compile_seconds": 0.2})
    assert (result.status, result.stage) == (Status.TIME_LIMIT, "compile")


@pytest.mark.parametrize(
    ("language", "code", "status", "exit_code"),
    [
        ("c", "#include <stdlib.h>\nint main(void) { abort(); }", Status.ERROR, -6),
        ("c", "int main(void) { volatile int *p = 0; return *p; }", Status.ERROR, -11),
        ("c", "int f(int n) { volatile char a[999]; return n ? f(n + 1) + a[n % 9] : 0; }\nint main() { return f(1); }",
         *_ENDLESS_RECURSION),
        ("c", "#include <stdlib.h>\n#include <string.h>\nint main(void) { for (;;) memset(malloc(999), 1, 999); }",
         Status.MEMORY_LIMIT, None),
        ("cpp", "#include <vector>\nint main() { std::vector<char> v(1L << 40); return v[7]; }",
         Status.MEMORY_LIMIT, -6),
        ("bash", "exit 3", Status.ERROR, 3),
        ("bash", "kill -9 $$", Status.ERROR, -9),
        ("bash", "sleep 60 & sleep 60", Status.TIME_LIMIT, None),
        ("node", "process.exit(4)", Status.ERROR, 4),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_told_apart(
    sandbox: LocalSandbox, language: str, code: str, status: Status, exit_code: int | None
) -> None:
    limits = {"seconds": 0.5 if status is Status.TIME_LIMIT else 30.0, "memory_mb": 200}
    (result,) = ran(sandbox, language, code, limits=limits)
    assert (result.status, result.exit_code) == (status, exit_code), result.stderr
