"""What Sandbox Fusion's contract calls our languages."""

NAMES = {
    "python": "python",
    "bash": "bash",
    "c": "c",  # not the contract's, but of agent-rl serve sandbox
    "cpp": "cpp",
    "node": "nodejs",
    "rust": "rust",
    "go": "go",
    "java": "java",
}
"""The contract's names by ours."""
COMPILED = frozenset({"c", "cpp", "rust", "go", "java"})
"""Which of ours are compiled."""
