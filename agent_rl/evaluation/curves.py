"""Learning curves: as SVG that takes its colours from the page around it, and as a picture of the whole run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from agent_rl.core.files import open_atomic, read_json
from agent_rl.tracking.jsonl import read_metrics
from agent_rl.tracking.run_folder import RunFolder

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Values = list[float | None]

COLOURS = ("#1f2937", "#2563eb", "#d97706", "#059669", "#db2777", "#7c3aed")  # the first is for the whole
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 360, 200, 42, 10, 8, 22


@dataclass(frozen=True)
class Series:
    """A named line of a chart; a value that is missing or not finite leaves a gap."""

    label: str
    values: Values


def series(metrics: list[dict[str, Any]], label: str, key: str) -> Series:
    """Return one metric of every step."""
    return Series(label, [_finite(line.get(key)) for line in metrics])


def success_series(metrics: list[dict[str, Any]]) -> list[Series]:
    """Return the success of all tasks, then by what the environment breaks it down by, as in `success/hops=2`."""
    keys = {key.removeprefix("success/") for line in metrics for key in line if key.startswith("success/")}
    ordered = sorted((key for key in keys if "=" in key), key=lambda key: (len(key), key))
    parts = [series(metrics, key.replace("=", " "), f"success/{key}") for key in ordered]
    return [series(metrics, "all", "success/mean"), *parts]


def smooth(values: Sequence[float | None]) -> Values:
    """Return the centred moving average over an eighth of the values, which lags behind neither way."""
    reach = len(values) // 16
    windows = (values[max(0, i - reach) : i + reach + 1] for i in range(len(values)))
    known = ([value for value in window if value is not None] for window in windows)
    return [sum(window) / len(window) if window else None for window in known]


def line_chart(title: str, steps: Sequence[int], lines: Sequence[Series], bounds: tuple[float, float] | None) -> Markup:
    """Return a chart as SVG: thin as measured, thick smoothed. Classes `c0`, `c1`, … are its lines' colours."""
    values = [value for line in lines for value in line.values if value is not None]
    if not values:
        return Markup("")
    low, high = bounds or _padded(min(values), max(values))
    across = _Scale(*_padded(steps[0], steps[-1], 0.0), _LEFT, _WIDTH - _RIGHT)
    upwards = _Scale(low, high, _HEIGHT - _BOTTOM, _TOP)
    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">']
    for tick in ticks(low, high):
        y = f"{upwards(tick):.1f}"
        parts.append(f'<path class="grid" d="M{_LEFT} {y}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y}" dy=".35em" text-anchor="end">{tick:.4g}</text>')
    for tick in ticks(steps[0], steps[-1], whole=True):
        parts.append(f'<text x="{across(tick):.1f}" y="{_HEIGHT - 5}" text-anchor="middle">{tick:.0f}</text>')
    for number, line in enumerate(lines):
        colour = f"c{number % len(COLOURS)}"
        parts.append(f'<path class="raw {colour}" d="{_path(steps, line.values, across, upwards)}"/>')
        parts.append(f'<path class="line {colour}" d="{_path(steps, smooth(line.values), across, upwards)}"/>')
    return Markup("".join([*parts, "</svg>"]))


def ticks(low: float, high: float, whole: bool = False) -> list[float]:
    """Return up to six round numbers between `low` and `high`."""
    if high <= low:
        return [low]
    power = 10.0 ** math.floor(math.log10((high - low) / 5))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor * 5 >= (high - low) * (1 - 1e-9))
    step = max(step, 1.0) if whole else step
    return [i * step for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def write_curve(folder: RunFolder) -> None:
    """Write the success in training and, at its two ends, on held-out tasks as a picture; nothing before a step."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    metrics = read_metrics(folder.metrics_jsonl)
    if not metrics:
        return
    summary = read_json(folder.summary_json)
    steps = [line["step"] for line in metrics]
    figure = Figure(figsize=(12, 6), dpi=100, layout="constrained")
    axes = FigureCanvasAgg(figure).figure.add_subplot()
    for number, line in enumerate(success_series(metrics)):
        colour = COLOURS[number % len(COLOURS)]
        axes.plot(steps, _gaps(line.values), color=colour, linewidth=0.8, alpha=0.3)
        axes.plot(steps, _gaps(smooth(line.values)), color=colour, linewidth=2.0 if number else 3.2, label=line.label)
        hops = line.label.removeprefix("hops ") if number else None
        for x, when in ((0, "before"), (steps[-1], "after")):
            _draw_held_out(axes, x, summary, when, hops, colour)
    _dress(axes)
    with open_atomic(folder.curve_png) as file:
        figure.savefig(file, format="png")


def _draw_held_out(axes: "Axes", x: int, summary: dict[str, Any], when: str, hops: str | None, colour: str) -> None:
    """Draw the held-out success, sampled as a full dot and greedy as a ring; write the figure beside the whole's."""
    aside, align = {"before": (-11, "right"), "after": (11, "left")}[when]
    for key, face in ((f"{when}_sampled", colour), (when, "white")):
        value = summary.get(key) if hops is None else (summary.get(f"{key}_by_hops") or {}).get(hops)
        if value is None:
            continue
        size, edge = (10, 2.5) if hops is None else (7, 1.8)
        axes.plot([x], [value], "o", color=colour, mfc=face, ms=size, mew=edge, clip_on=False, zorder=3)
        if hops is None and face == colour:
            place = axes.annotate(f"{value:.0%}", (x, value), (aside, 0), textcoords="offset points")
            place.set(ha=align, va="center", color=colour, fontsize=13, weight="bold")


def _dress(axes: "Axes") -> None:
    from matplotlib.ticker import PercentFormatter

    axes.spines[["top", "right"]].set_visible(False)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set(ylim=(0, 1), xlabel="training step")
    axes.set_title("Success in training at temperature 1; dots: held-out tasks", fontsize=13, loc="left", pad=14)
    axes.margins(x=0.05)
    axes.grid(axis="y", alpha=0.25)
    axes.plot([], [], "o", color="gray", label="held-out, sampled")
    axes.plot([], [], "o", color="gray", mfc="white", label="held-out, greedy")
    axes.legend(frameon=False, loc="lower right", fontsize=11)


@dataclass(frozen=True)
class _Scale:
    """Maps values between `low` and `high` to places between `first` and `last`."""

    low: float
    high: float
    first: float
    last: float

    def __call__(self, value: float) -> float:
        return self.first + (value - self.low) / (self.high - self.low) * (self.last - self.first)


def _gaps(values: Sequence[float | None]) -> list[float]:
    return [math.nan if value is None else value for value in values]


def _path(steps: Sequence[int], values: Sequence[float | None], across: _Scale, upwards: _Scale) -> str:
    drawn, pen = [], "M"
    for step, value in zip(steps, values, strict=True):
        if value is not None:
            drawn.append(f"{pen}{across(step):.1f} {upwards(value):.1f}" + ("h0" if pen == "M" else ""))
        pen = "M" if value is None else "L"
    return "".join(drawn)


def _padded(low: float, high: float, share: float = 0.05) -> tuple[float, float]:
    if low == high:
        return low - 0.5, high + 0.5
    return low - share * (high - low), high + share * (high - low)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
