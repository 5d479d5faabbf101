"""Profiles: what torch does in a step, as a trace that chrome://tracing and ui.perfetto.dev show."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from agent_rl.core.files import storing
from agent_rl.tracking.console import Console


@contextmanager
def profiled(file: Path, console: Console) -> Iterator[None]:
    """Write the trace of what happens inside as `file` (`.json.gz`), and say where it lies.

    A block that raises leaves none.

    Raises:
        StorageError: It cannot be written.
    """
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * torch.cuda.is_available()
    with profile(activities=activities, experimental_config=_every_thread()) as seen:
        yield
    temporary = file.with_name(f".{file.name}")  # of the same kind, by which torch knows to compress it
    with storing(file):
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            seen.export_chrome_trace(str(temporary))
            temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)
    console.line(f"profile: {file} ({file.stat().st_size / 2**20:.1f} MB); open it in ui.perfetto.dev")


def _every_thread() -> "torch._C._profiler._ExperimentalConfig":
    """Return the option that takes in the engine, which generates in a thread of its own."""
    return torch._C._profiler._ExperimentalConfig(profile_all_threads=True)
