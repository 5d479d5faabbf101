"""What a run has come to, as the page, the report and the terminal show it: curves, held-out figures, times."""

from pathlib import Path
from typing import Any

from agent_rl.evaluation.curves import Series, Values, series, success_series
from agent_rl.evaluation.viewer.jsonfiles import read_object
from agent_rl.evaluation.viewer.runs import RunFile, ViewedRun, success_of
from agent_rl.tracking.jsonl import read_metrics

Metrics = list[dict[str, Any]]

TIMES = ("rollout", "update", "weights", "record")
MOMENTS = ("before", "after", "before_sampled", "after_sampled")
_CHARTS = (  # one line each
    ("Tokens per response", "tokens", "tokens/action_mean"),
    ("Turns per episode", "turns", "turns/mean"),
    ("Entropy", "entropy", "policy/entropy"),
    ("KL divergence", "KL", "policy/kl"),
    ("Gradient norm", "norm", "policy/grad_norm"),
    ("Clipped tokens, share", "clipped", "policy/clip_fraction"),
    ("Loss on demonstrations", "loss", "sft/loss"),
)


def charts(metrics: Metrics, evaluations: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return every chart that has values: its title, its steps, the bounds of its values if they have any, its lines.

    Args:
        metrics: Of each step.
        evaluations: The results of the evaluations by their names.
    """
    steps = [line["step"] for line in metrics]
    found = [_chart("Success in training", steps, success_series(metrics), [0.0, 1.0])]
    found += _held_out_chart(evaluations)
    found.append(_chart("Reward in training", steps, [series(metrics, "reward", "reward/mean")]))
    found += [_chart(title, steps, [series(metrics, label, key)]) for title, label, key in _CHARTS]
    seconds = [series(metrics, name, f"seconds/{name}") for name in ("step", *TIMES)]
    found.append(_chart("Seconds per step", steps, seconds))
    return [chart for chart in found if chart["lines"]]


def held_out(evaluations: dict[str, dict[str, Any]], summary: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the success before and after, of all tasks and by what they are; None where it was not measured.

    What the evaluations' results do not tell is taken from the run's summary.
    """
    whole = {when: success_of(evaluations.get(when) or {}) for when in MOMENTS}
    rows = [{"label": "all"} | {when: _first(value, summary.get(when)) for when, value in whole.items()}]
    parts = {when: _by(evaluations.get(when) or {}, summary.get(f"{when}_by_hops")) for when in MOMENTS}
    labels = dict.fromkeys(label for found in parts.values() for label in found)
    rows += [{"label": label} | {when: parts[when].get(label) for when in MOMENTS} for label in _sorted(labels)]
    return [row for row in rows if any(row[when] is not None for when in MOMENTS)]


def time_shares(metrics: Metrics) -> list[tuple[str, float]]:
    """Return where the training's time went, as shares of the steps' seconds; what is not named is the rest."""
    total = sum(line.get("seconds/step") or 0.0 for line in metrics)
    if not total:
        return []
    shares = [(name, sum(line.get(f"seconds/{name}") or 0.0 for line in metrics) / total) for name in TIMES]
    return [*shares, ("rest", max(0.0, 1.0 - sum(share for _, share in shares)))]


def read_evaluations(run: ViewedRun) -> dict[str, dict[str, Any]]:
    """Return the results of the evaluations of a training, by their names, as far as they have ended."""
    folder = run.path / "evaluations"
    names = [file.name.partition("/")[2] for file in run.files.values() if file.name.startswith("evaluations/")]
    found = {name: read_object(folder / name / "results.json") for name in names}
    return {name: results for name, results in found.items() if results}


def overview(run: ViewedRun, counts: dict[Path, int]) -> dict[str, Any]:
    """Return all that is shown of a run but its trajectories; `counts` are those of files that are known."""
    metrics, evaluations = read_metrics(run.path / "metrics.jsonl"), read_evaluations(run)
    facts = read_object(run.path / "run.json")
    return {
        "id": run.id,
        "name": run.name,
        "kind": run.kind,
        "version": run.version,
        "state": run.state,
        "command": facts.get("command") or "",
        "config": run.config_text,
        "facts": facts,
        "charts": charts(metrics, evaluations),
        "held_out": held_out(evaluations, read_object(run.path / "summary.json")),
        "time_shares": time_shares(metrics),
        "results": read_object(run.path / "results.json") or None,
        "files": [_file(file, counts.get(file.path)) for file in run.files.values()],
    }


def _file(file: RunFile, count: int | None) -> dict[str, Any]:
    return {"name": file.name, "title": file.title, "kind": file.kind, "step": file.step, "count": count}


def _chart(title: str, steps: list[int], lines: list[Series], bounds: list[float] | None = None) -> dict[str, Any]:
    present = [vars(line) for line in lines if any(value is not None for value in line.values)]
    return {"title": title, "steps": steps, "bounds": bounds, "lines": present}


def _held_out_chart(evaluations: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the success on held-out tasks over the steps, where it was measured between them."""
    measured = {name: success_of(found) for name, found in evaluations.items() if name.startswith("step_")}
    steps = sorted(int(name.removeprefix("step_")) for name in measured)
    values: Values = [measured[f"step_{step:06d}"] for step in steps]
    if not steps:
        return []
    before = success_of(evaluations.get("before") or {})
    if before is not None:
        steps, values = [0, *steps], [before, *values]
    return [_chart("Success on held-out tasks", steps, [Series("greedy", values)], [0.0, 1.0])]


def _by(results: dict[str, Any], by_hops: dict[str, float] | None) -> dict[str, float | None]:
    """Return the success by label, such as `hops 2`."""
    if "by" not in results:
        return {f"hops {value}": share for value, share in (by_hops or {}).items()}
    return {
        f"{name} {value}": success_of({"metrics": found})
        for name, values in results["by"].items()
        for value, found in values.items()
    }


def _sorted(labels: dict[str, None]) -> list[str]:
    """Return labels by what they name, then numbers by their size: `hops 2` before `hops 10`."""
    return sorted(labels, key=lambda label: (label.partition(" ")[0], len(label), label))


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)
