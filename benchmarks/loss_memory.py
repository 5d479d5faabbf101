"""The memory that the loss takes, in a process of its own: `python loss_memory.py VOCABULARY TOKENS` prints MB."""

import resource
import subprocess
import sys

_WIDTH = 64
_LENGTH = 513


def loss_memory(vocabulary: int, tokens: int) -> float:
    """Return by how many MB the peak of a process grows with the loss of `tokens` trained tokens and its gradient."""
    words = [sys.executable, __file__, str(vocabulary), str(tokens)]
    return float(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def _measure(vocabulary: int, tokens: int) -> float:
    import torch

    from agent_rl.models import attention
    from agent_rl.models.packed import pack, predict
    from agent_rl.models.scratch import new_model

    torch.set_num_threads(1)
    model = new_model(vocabulary, 0, 0, seed=0, layers=1, width=_WIDTH)
    model.set_attn_implementation(attention.NAME)
    rows = torch.randint(0, vocabulary, (tokens // (_LENGTH - 1), _LENGTH)).tolist()
    mask = [False] + [True] * (_LENGTH - 1)
    for parameter in model.parameters():  # not the loss's
        parameter.grad = torch.ones_like(parameter)
    many = pack([(row, mask) for row in rows])
    few = pack([(rows[0], [False] * (_LENGTH - 8) + [True] * 8)])
    predict(model, few).logprobs.sum().backward()  # what is needed however few tokens there are
    before = _peak()
    predict(model, many).logprobs.sum().backward()
    return _peak() - before


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    print(_measure(int(sys.argv[1]), int(sys.argv[2])))
