"""What a run shows while it goes on: a live display on a terminal, one plain line a step anywhere else."""

import itertools
import math
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType

import rich.console
from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

_BLOCKS = "▁▂▃▄▅▆▇█"
_LABEL = 11  # columns of the labels
_WIDTH = 40  # columns of bars and sparklines
_RECENT = 10  # steps from which the time left and the shares of time are taken
_DETAILS = (  # what it is called, its metric, its format, its width in a plain line
    ("loss", "sft/loss", ".4f", 7),
    ("turns", "turns/mean", ".2f", 5),
    ("tokens", "tokens/action_mean", ".1f", 6),
    ("entropy", "policy/entropy", ".3f", 6),
    ("kl", "policy/kl", ".5f", 8),
    ("clipped", "policy/clip_fraction", ".3f", 5),
    ("grad norm", "policy/grad_norm", ".3f", 7),
    ("staleness", "rollout/staleness_max", ".0f", 1),
    ("replaced", "rollout/dropped_groups", ".0f", 3),
    ("tokens/s", "speed/tokens_per_second", ",.0f", 7),
)


class Console:
    """Told by the training loop what happens. As a context manager it holds the display and leaves its last state."""

    def __init__(self, output: rich.console.Console | None = None) -> None:
        """Write to `output`, by default the standard output; whether that is a terminal decides how."""
        self._output = output or rich.console.Console(file=sys.stdout, force_terminal=sys.stdout.isatty())
        self._live: Live | None = None
        self._width = min(_WIDTH, max(16, self._output.width - _LABEL - 41))
        self._history: dict[str, list[float]] = defaultdict(list)
        self._figures: RenderableType = Text("")
        self._step, self._steps, self._step_ended = 0, 0, time.monotonic()
        self._phase, self._phase_begun = "", time.monotonic()
        self._done, self._total = 0, 0
        self._seen: set[str] = set()

    def __enter__(self) -> "Console":
        """Begin the live display, on a terminal that can show one."""
        if self._output.is_terminal and not self._output.is_dumb_terminal:
            self._live = Live(get_renderable=self._render, console=self._output, refresh_per_second=4)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the live display; its last state stays on the screen."""
        self._phase = ""
        if self._live:
            self._live.stop()
            self._live = None

    def phase(self, name: str) -> None:
        """Say what is going on from now on."""
        self._phase, self._phase_begun = name, time.monotonic()
        self._done, self._total = 0, 0
        if self._live:
            self._live.refresh()

    def progress(self, done: int, total: int) -> None:
        """Say how far the phase has come."""
        self._done, self._total = done, total

    def step(self, step: int, steps: int, metrics: Mapping[str, float]) -> None:
        """Show the metrics of a step that has ended, one of `steps`."""
        self._step, self._steps, self._step_ended = step, steps, time.monotonic()
        self._seen |= metrics.keys()
        for key, value in metrics.items():
            if key.split("/")[0] in ("reward", "success", "seconds"):
                self._history[key].append(value)
        if self._live:
            self._figures = self._draw(metrics)
            self._live.refresh()
        else:
            self.line(_plain(step, steps, metrics, _broken_down(self._history), self._seen))

    def line(self, text: str) -> None:
        """Print a line that stays."""
        if self._live:
            self._live.console.print(Text(text))
        else:
            print(text, file=self._output.file, flush=True)

    def _render(self) -> RenderableType:
        rows = self._grid()
        if self._steps:
            progress = ProgressBar(total=self._steps, completed=self._step, width=self._width)
            rows.add_row(Text("step", "bold"), progress, f"{self._step}/{self._steps}{self._time_left()}")
        if self._phase:
            bar = ProgressBar(total=max(self._total, 1), completed=self._done, width=self._width)
            count = f"{self._done}/{self._total}, " if self._total else ""
            seconds = _duration(time.monotonic() - self._phase_begun)
            rows.add_row(self._phase, bar if self._total else "", f"{count}{seconds}")
        return Group(rows, self._figures)

    def _time_left(self) -> str:
        recent = self._history["seconds/step"][-_RECENT:]
        if not recent or self._step >= self._steps:
            return ""
        whole = (self._steps - self._step) * sum(recent) / len(recent)
        return f", {_duration(max(0.0, whole - (time.monotonic() - self._step_ended)))} left"

    def _draw(self, metrics: Mapping[str, float]) -> RenderableType:
        """Draw reward and success as they went (success on the scale from 0 to 1), and where the time goes."""
        rows = self._grid()
        for label, key in [("reward", "reward/mean"), ("success", "success/mean"), *_broken_down(self._history)]:
            if key in self._history:
                bounds = (0.0, 1.0) if key.startswith("success/") else None
                style = "" if "=" in key else "bold"
                curve = Text(sparkline(self._history[key], self._width, bounds), "cyan")
                rows.add_row(Text(label, style), curve, Text(f"{self._history[key][-1]:.3f}", style))
        sums = {key: sum(self._history[f"seconds/{key}"][-_RECENT:]) for key in ("rollout", "update", "step")}
        if sums["step"] > 0:
            shares = {key: min(1.0, sums[key] / sums["step"]) for key in ("rollout", "update")}
            shares["rest"] = max(0.0, 1.0 - sum(shares.values()))
            rows.add_row(Text("time", "bold"), *_shares(shares, self._width))
        texts = [f"{label} {metrics[key]:{form}}" for label, key, form, _ in _DETAILS if key in metrics]
        return Group(rows, Text("  ".join(texts), "bright_black"))

    def _grid(self) -> Table:
        rows = Table.grid(padding=(0, 1))
        rows.add_column(width=_LABEL, no_wrap=True)
        rows.add_column(width=self._width, no_wrap=True)
        rows.add_column()
        return rows


def sparkline(values: Sequence[float], width: int, bounds: tuple[float, float] | None = None) -> str:
    """Return the values as blocks, between `bounds` or their own; a long history is averaged down to `width` blocks."""
    count = min(width, len(values))
    edges = [len(values) * i // count for i in range(count + 1)] if count else []
    bins = [[v for v in values[a:b] if math.isfinite(v)] for a, b in itertools.pairwise(edges)]
    means = [sum(cell) / len(cell) if cell else None for cell in bins]
    known = [mean for mean in means if mean is not None]
    low, high = bounds or (min(known, default=0.0), max(known, default=0.0))
    scale = (len(_BLOCKS) - 1) / (high - low) if high > low else 0.0
    tops = (None if mean is None else round((min(max(mean, low), high) - low) * scale) for mean in means)
    return "".join(" " if top is None else _BLOCKS[top] for top in tops)


def _shares(shares: Mapping[str, float], width: int) -> tuple[Text, Text]:
    """Return a bar divided by `shares` and its legend; told apart by their blocks where there are no colours."""
    bar, legend = Text(), Text()
    for (name, share), block, style in zip(shares.items(), "█▓░", ("cyan", "magenta", "bright_black"), strict=True):
        bar.append(block * round(share * width), style)
        legend.append(block, style).append(f" {name} {share:.0%}  ")
    return bar, legend


def _broken_down(keys: Iterable[str]) -> list[tuple[str, str]]:
    """Return label and key of the success by what the environment breaks it down by, as in `success/hops=2`."""
    parts = [key.removeprefix("success/").partition("=") for key in keys if key.startswith("success/") and "=" in key]
    ordered = sorted(parts, key=lambda part: (part[0], len(part[2]), part[2]))
    return [(f"  {name}={value}", f"success/{name}={value}") for name, _, value in ordered]


def _plain(
    step: int, steps: int, metrics: Mapping[str, float], broken_down: list[tuple[str, str]], seen: set[str]
) -> str:
    """Return the step in columns, one for each metric seen so far, that stay where they are from line to line."""
    shown = [("reward", "reward/mean", ".3f", 6), ("success", "success/mean", ".3f", 5)]
    shown += [(label.strip(), key, ".3f", 5) for label, key in broken_down]
    shown += [*_DETAILS, ("seconds", "seconds/step", ".1f", 6)]
    shown = [column for column in shown if column[1] in seen]
    cells = [
        f"{label} {format(metrics[key], form) if key in metrics else '-':>{width}}" for label, key, form, width in shown
    ]
    return "  ".join([f"step {step:>{len(str(steps))}}/{steps}", *cells])


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
