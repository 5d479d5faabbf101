"""The report of a run: one page that needs no other file, no script and no network."""

import random
from collections.abc import Iterable
from itertools import zip_longest
from typing import Any

import jinja2
import yaml

from agent_rl.core.files import read_json, write_text_atomic
from agent_rl.core.trajectory import Trajectory
from agent_rl.evaluation.curves import Series, line_chart, series, smooth, success_series, write_curve
from agent_rl.evaluation.folder import EvaluationFolder
from agent_rl.rollout.store import read_trajectories
from agent_rl.tracking.jsonl import read_metrics
from agent_rl.tracking.run_folder import RunFolder

__all__ = ["write_curve", "write_report"]

Metrics = list[dict[str, Any]]

_CHARTS = (  # one line each
    ("Tokens per response", "tokens", "tokens/action_mean"),
    ("Turns per episode", "turns", "turns/mean"),
    ("Entropy", "entropy", "policy/entropy"),
    ("KL divergence", "KL", "policy/kl"),
    ("Gradient norm", "norm", "policy/grad_norm"),
    ("Clipped tokens, share", "clipped", "policy/clip_fraction"),
)
_TIMES = ("rollout", "update", "weights", "record")


def write_report(folder: RunFolder) -> None:
    """Write report.html from what is in the folder; what an interrupted run lacks is left out."""
    metrics, summary = read_metrics(folder.metrics_jsonl), read_json(folder.summary_json)
    config = folder.config_yaml.read_text(encoding="utf-8") if folder.config_yaml.exists() else ""
    success_at = _success_at(config)
    transcripts = {when: _transcripts(folder, when, success_at) for when in ("before", "after")}
    loader = jinja2.PackageLoader("agent_rl.evaluation", "")
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["percent"] = lambda value: "–" if value is None else f"{100 * value:.1f} %"
    page = environment.get_template("report.html.jinja").render(
        name=folder.path.resolve().name,
        run=read_json(folder.run_json),
        config=config,
        summary=summary,
        last=metrics[-1] if metrics else None,
        held_out=_held_out(summary),
        charts=_charts(metrics),
        shares=_time_shares(metrics),
        transcripts=transcripts,
    )
    # A model may write half of a surrogate pair, which has no UTF-8.
    write_text_atomic(folder.report_html, page.encode("utf-8", "replace").decode())


def _held_out(summary: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the success before and after, of all tasks and by hops, greedy and sampled; None where not measured."""
    keys = ("before", "after", "before_sampled", "after_sampled")
    by_hops = {key: summary.get(f"{key}_by_hops") or {} for key in keys}
    hops = sorted({hop for found in by_hops.values() for hop in found}, key=lambda hop: (len(hop), hop))
    rows = [{"label": "all"} | {key: summary.get(key) for key in keys}]
    rows += [{"label": f"hops {hop}"} | {key: by_hops[key].get(hop) for key in keys} for hop in hops]
    return [row for row in rows if any(row[key] is not None for key in keys)]


def _charts(metrics: Metrics) -> list[dict[str, Any]]:
    """Return every chart that has values: its title, its SVG, and label and last smoothed value of each line."""
    plans: list[tuple[str, list[Series], tuple[float, float] | None]] = [
        ("Success in training", success_series(metrics), (0.0, 1.0)),
        ("Reward in training", [series(metrics, "reward", "reward/mean")], None),
    ]
    plans += [(title, [series(metrics, label, key)], None) for title, label, key in _CHARTS]
    seconds = [series(metrics, name, f"seconds/{name}") for name in ("step", *_TIMES)]
    plans.append(("Seconds per step", seconds, None))
    steps = [line["step"] for line in metrics]
    charts = []
    for title, lines, bounds in plans:
        present = [line for line in lines if any(value is not None for value in line.values)]
        if present:
            legend = [(line.label, next(v for v in reversed(smooth(line.values)) if v is not None)) for line in present]
            charts.append({"title": title, "svg": line_chart(title, steps, present, bounds), "legend": legend})
    return charts


def _time_shares(metrics: Metrics) -> list[tuple[str, float]]:
    """Return where the training's time went, as shares of the steps' seconds; what is not named is the rest."""
    total = sum(line.get("seconds/step") or 0.0 for line in metrics)
    if not total:
        return []
    shares = [(name, sum(line.get(f"seconds/{name}") or 0.0 for line in metrics) / total) for name in _TIMES]
    return [*shares, ("rest", max(0.0, 1.0 - sum(share for _, share in shares)))]


def _transcripts(folder: RunFolder, when: str, success_at: float) -> list[dict[str, Any]]:
    path = EvaluationFolder(folder.evaluations / f"{when}_sampled").episodes
    chosen = choose(read_trajectories(path), success_at) if path.exists() else []
    return [_transcript(trajectory, success_at) for trajectory in chosen]


def choose(trajectories: Iterable[Trajectory], success_at: float, count: int = 3) -> list[Trajectory]:
    """Draw successes and failures in turn, beginning with what is more frequent; the same ones at every call."""
    usable = [trajectory for trajectory in trajectories if trajectory.usable]
    random.Random(0).shuffle(usable)
    kinds = [[t for t in usable if (t.reward >= success_at) is success] for success in (True, False)]
    more, fewer = sorted(kinds, key=len, reverse=True)
    in_turn = [t for pair in zip_longest(more, fewer[: count // 2]) for t in pair if t is not None]
    return in_turn[:count]


def _transcript(trajectory: Trajectory, success_at: float) -> dict[str, Any]:
    spoken = [number for number, message in enumerate(trajectory.messages) if message["role"] == "assistant"]
    turns = trajectory.turns
    own = spoken[len(spoken) - len(turns) :]  # the messages of a task may hold some of an assistant as well
    return {
        "trajectory": trajectory,
        "success": trajectory.reward >= success_at,
        "action_tokens": len(trajectory.action_logprobs),
        "rewards": {number: turn.reward for number, turn in zip(own, turns, strict=False)},
    }


def _success_at(config: str) -> float:
    """Return the reward from which an episode counts as a success."""
    evaluation = (yaml.safe_load(config) or {}).get("eval") or {}
    return float(evaluation.get("success_at", 1.0))
