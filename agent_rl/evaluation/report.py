"""The report of a run: one page that needs no other file, no script and no network."""

from collections.abc import Iterator
from typing import Any

import jinja2

from agent_rl.core.files import read_json, write_text_atomic
from agent_rl.evaluation.curves import Series, line_chart, smooth, write_curve
from agent_rl.evaluation.viewer.detail import messages
from agent_rl.evaluation.viewer.overview import charts, held_out, read_evaluations, time_shares
from agent_rl.evaluation.viewer.rows import choose, row
from agent_rl.evaluation.viewer.runs import ViewedRun
from agent_rl.rollout.outlines import read_outlines, stored_line
from agent_rl.rollout.store import parse_trajectory
from agent_rl.tracking.jsonl import read_metrics
from agent_rl.tracking.run_folder import RunFolder

__all__ = ["choose", "write_curve", "write_report"]


def write_report(folder: RunFolder) -> None:
    """Write report.html from what is in the folder; what an interrupted run lacks is left out."""
    name = folder.path.resolve().name
    run = ViewedRun(name, name, folder.path)
    metrics, summary, evaluations = (
        read_metrics(folder.metrics_jsonl),
        read_json(folder.summary_json),
        read_evaluations(run),
    )
    loader = jinja2.PackageLoader("agent_rl.evaluation", "")
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["percent"] = lambda value: "–" if value is None else f"{100 * value:.1f} %"
    page = environment.get_template("report.html.jinja").render(
        name=name,
        run=read_json(folder.run_json),
        config=run.config_text,
        summary=summary,
        last=metrics[-1] if metrics else None,
        held_out=held_out(evaluations, summary),
        charts=list(map(_drawn, charts(metrics, evaluations))),
        shares=time_shares(metrics),
        transcripts={when: list(_transcripts(run, when)) for when in ("before", "after")},
    )
    # A model may write half of a surrogate pair, which has no UTF-8.
    write_text_atomic(folder.report_html, page.encode("utf-8", "replace").decode())


def _drawn(chart: dict[str, Any]) -> dict[str, Any]:
    """Return a chart's title, its SVG, and label and last smoothed value of each line."""
    lines = [Series(**line) for line in chart["lines"]]
    bounds = tuple(chart["bounds"]) if chart["bounds"] else None
    legend = [(line.label, next(v for v in reversed(smooth(line.values)) if v is not None)) for line in lines]
    return {"title": chart["title"], "svg": line_chart(chart["title"], chart["steps"], lines, bounds), "legend": legend}


def _transcripts(run: ViewedRun, when: str) -> Iterator[dict[str, Any]]:
    """Yield the rows and messages of some held-out episodes, successes and failures."""
    file = run.files.get(f"evaluations/{when}_sampled")
    if file is None:
        return
    for outline in choose(read_outlines(file.path), run.success_at):
        trajectory = parse_trajectory(stored_line(file.path, outline.number).decode())
        yield {"row": row(outline, outline.reward >= run.success_at), "messages": messages(trajectory)}
