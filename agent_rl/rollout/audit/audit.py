"""The audit of a run: two readings of its files, one for the tokens and one for the log-probabilities."""

import time

from agent_rl.rollout.audit.forward import TOLERANCES
from agent_rl.rollout.audit.reader import Reader
from agent_rl.rollout.audit.rerender import Rerender
from agent_rl.rollout.audit.result import Audit
from agent_rl.rollout.audit.source import Recorded, Selection
from agent_rl.rollout.audit.weigher import Weigher
from agent_rl.tracking.console import Console
from agent_rl.tracking.run_folder import RunFolder


def audit_run(folder: RunFolder, selection: Selection, tolerance: float | None, console: Console) -> Audit:
    """Read the trajectories that a run saved, and prove or refute that they are exact.

    Args:
        folder: The run.
        selection: Which of its trajectories.
        tolerance: Largest gap (nats) of a log-probability that is no violation; None for what rounding explains.
        console: Shows how far it is.

    Raises:
        UserError: There is nothing to audit, or the configuration or the tokenizer cannot be read.
    """
    begun = time.perf_counter()
    recorded = Recorded.read(folder)
    files = selection.files(folder)
    kept = sorted(folder.checkpoints.glob("step_*/tokenizer_config.json"))
    rerender = Rerender.load(str(kept[-1].parent) if kept else recorded.model.path, recorded.renderer)
    allowed = TOLERANCES[recorded.model.dtype] if tolerance is None else tolerance
    audit = Audit(str(folder.path), rerender, allowed)
    reader = Reader(audit, folder, recorded, selection.limit)
    console.phase("tokens")
    reader.read(files, console.progress)
    console.phase("logprobs")
    Weigher(audit, folder, recorded, reader.seen).compare(files, console.progress)
    audit.seconds = time.perf_counter() - begun
    return audit
