"""verl's rows for its reward `prime_code`: a chat as the prompt, tests as JSON in the ground truth."""

from agent_rl.core.message import text_of
from agent_rl.core.rows import Row
from agent_rl.envs.code.formats.parts import PUBLIC, calls_and_values, parsed
from agent_rl.envs.code.problem import CodeProblem


def problem(row: Row, name: str) -> CodeProblem:
    """Return a row as a problem; what its chat says before the user's last message is left out."""
    tests = parsed(row["reward_model"]["ground_truth"])
    cases = tuple(calls_and_values(tests))
    extra = row.get("extra_info") or {}
    asked = [text_of(message) for message in row["prompt"] if message["role"] == "user"]
    if not asked:
        raise ValueError("the prompt has no message of a user")
    source = row.get("data_source") or ""
    number = f"{source or 'prime'}-{extra.get('split') or 'row'}-{extra['index']}" if "index" in extra else name
    return CodeProblem(
        id=number,
        statement=asked[-1],
        style="function" if tests.get("fn_name") else "stdio",
        public=cases[:PUBLIC],
        hidden=cases,
        entry=tests.get("fn_name") or "",
    )
