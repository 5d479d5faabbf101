"""The same update on one rank and on two, each with a thread of its own: `python two_ranks.py RANK RANKS STORE`.

Each line on the standard input asks for one update of the same batch; the answer is a line with its seconds, by the
clock and of the processor. The clock decides, for ranks wait for each other; where the cores are busy with something
else it says little, and the processor's seconds of the busier rank say what idle cores would allow.
"""

import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path


def two_rank_speedup(rounds: int) -> dict[str, float]:
    """Return the seconds of an update on one rank and on two gloo ranks, and how many times as fast two are.

    They take turns, and the fastest round of each counts; `processor` is of the busier rank.
    """
    with tempfile.TemporaryDirectory() as folder, ExitStack() as started:
        teams = {
            f"{name}_rank": [
                started.enter_context(_started(rank, size, Path(folder) / "store")) for rank in range(size)
            ]
            for name, size in (("one", 1), ("two", 2))
        }
        best: dict[str, tuple[float, float]] = {}
        for number in range(rounds + 1):
            for name, team in teams.items():
                clock, processor = _together(team)
                before = best.get(name, (clock, processor)) if number > 1 else (clock, processor)  # the first warms up
                best[name] = min(before[0], clock), min(before[1], processor)
        for rank in (rank for team in teams.values() for rank in team):
            assert rank.stdin is not None
            rank.stdin.close()
    (one, one_processor), (two, two_processor) = best.values()
    return {
        "one_rank_seconds": one,
        "two_rank_seconds": two,
        "two_rank_speedup": one / two,
        "two_rank_processor_speedup": one_processor / two_processor,
    }


def _started(rank: int, size: int, store: Path) -> subprocess.Popen[str]:
    words = [sys.executable, __file__, str(rank), str(size), str(store)]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _together(team: Sequence[subprocess.Popen[str]]) -> tuple[float, float]:
    """Let all ranks take an update; return the seconds of the slowest, and of the processor for the busiest."""
    for rank in team:
        assert rank.stdin is not None
        rank.stdin.write("\n")
        rank.stdin.flush()
    clocks, processors = zip(*(_answer(rank) for rank in team), strict=True)
    return max(clocks), max(processors)


def _answer(rank: subprocess.Popen[str]) -> tuple[float, float]:
    assert rank.stdout is not None
    for line in rank.stdout:
        if line.startswith("seconds "):
            _, clock, processor = line.split()
            return float(clock), float(processor)
    raise SystemExit("a rank ended")


def _serve(rank: int, size: int, store: str) -> None:
    import torch
    from packed_work import VOCABULARY, full_update, make_groups
    from torch import distributed

    from agent_rl.models import attention
    from agent_rl.models.scratch import new_model
    from agent_rl.trainer.algorithms import AlgorithmSettings
    from agent_rl.trainer.optimizer import OptimizerSettings
    from agent_rl.trainer.settings import TrainerSettings
    from agent_rl.trainer.workers import PolicyWorker

    warnings.filterwarnings("ignore", "FSDP2-wrapped module")  # of views that nobody writes to
    torch.set_num_threads(1)
    if size > 1:
        distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=size)
    model = new_model(VOCABULARY, eos_token_id=0, pad_token_id=0, seed=0).eval()
    model.set_attn_implementation(attention.NAME)
    worker = PolicyWorker(model, OptimizerSettings(lr=1e-5), TrainerSettings().micro_tokens, 1.0)
    groups, algorithm = make_groups(32, 4, 300, same=True), AlgorithmSettings(samples=4)
    for _ in sys.stdin:
        clock, processor = time.perf_counter(), time.process_time()
        full_update(worker, groups, algorithm)
        print("seconds", time.perf_counter() - clock, time.process_time() - processor, flush=True)


if __name__ == "__main__":
    _serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
