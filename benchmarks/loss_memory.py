"""The memory that the loss takes, in a process of its own: `python loss_memory.py VOCABULARY TOKENS` prints MB."""

import resource
import subprocess
import sys

_WIDTH = 64


def loss_memory(vocabulary: int, tokens: int) -> float:
    """Return by how many MB the peak of a process grows with the loss of `tokens` trained tokens and its gradient."""
    words = [sys.executable, __file__, str(vocabulary), str(tokens)]
    return float(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def _measure(vocabulary: int, tokens: int) -> float:
    import torch

    from agent_rl.models.packed import predict_from
    from agent_rl.models.scratch import new_model

    model = new_model(vocabulary, 0, 0, seed=0, layers=1, width=_WIDTH)
    states, targets = torch.randn(tokens, _WIDTH, requires_grad=True), torch.randint(0, vocabulary, (tokens,))
    predict_from(model, states[:1], targets[:1]).logprobs.sum().backward()  # what is needed however few there are
    before = _peak()
    predict_from(model, states, targets).logprobs.sum().backward()
    return _peak() - before


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    print(_measure(int(sys.argv[1]), int(sys.argv[2])))
