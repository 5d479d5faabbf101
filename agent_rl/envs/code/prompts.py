"""What the environment `code` tells a policy before the problem."""

from agent_rl.envs.code.harness import MODULE
from agent_rl.envs.code.problem import CodeProblem

_TITLES = {"python": "Python", "cpp": "C++", "c": "C", "bash": "Bash", "node": "JavaScript", "go": "Go", "rust": "Rust"}


def prompt(problem: CodeProblem, multi_turn: bool) -> str:
    """Return the system message of a problem."""
    title = _TITLES.get(problem.language, problem.language)
    what = {
        "stdio": f"Write a {title} program that reads standard input and writes standard output.",
        "function": f"Write the {title} function `{problem.entry}`.",
        "pytest": f"Write a {title} module; tests import it as `{MODULE}`.",
    }[problem.style]
    if not multi_turn:
        return f"{what} Put the whole program into one fenced code block."
    return f"{what} Try it with run_tests and mend it, then hand it in with submit. Always send the whole program."
