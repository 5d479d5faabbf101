"""An audit as one HTML page that needs no other file, no script and no network."""

import math
from pathlib import Path
from typing import Any

import jinja2

from agent_rl.core.files import write_text_atomic
from agent_rl.core.text import printable
from agent_rl.core.trajectory import Origin, Trajectory
from agent_rl.rollout.audit.findings import CLAIMS, Check, Violation, counted
from agent_rl.rollout.audit.gaps import Gaps
from agent_rl.rollout.audit.numbers import sampled
from agent_rl.rollout.audit.result import Audit, Exhibit
from agent_rl.rollout.audit.text import looked_at, written_steps

_LISTED = 20  # violations of a check
_LONG = 1500  # tokens from which a trajectory is shown in parts
_HEAD, _TAIL, _NEAR = 120, 40, 80  # tokens that are shown at the ends and around places of interest
_HEAT = 5  # degrees of a gap's colour, by decades below the tolerance
_BAR, _HEIGHT = 44, 150  # the histogram's columns and height


def write_page(audit: Audit, path: Path) -> None:
    """Write the page.

    Raises:
        StorageError: The file cannot be written.
    """
    loader = jinja2.PackageLoader("agent_rl.rollout.audit", "")
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"printable": printable, "counted": counted}
    exhibits = [*audit.refuted.values(), *audit.worst]
    numbers = {(one.place.step, one.place.line): number for number, one in enumerate(exhibits)}
    page = environment.get_template("page.html.jinja").render(
        audit=audit,
        name=Path(audit.run).resolve().name,
        steps=written_steps(audit.steps),
        checks=[_check(audit, check, numbers) for check in CLAIMS],
        histogram=_histogram(audit.gaps, audit.tolerance),
        heat=[f"{audit.tolerance * 10.0 ** (degree - _HEAT):.0e}" for degree in range(1, _HEAT + 1)],
        worst=[{"token": token, "link": _link(numbers, token.place, token.position)} for token in audit.gaps.worst],
        exhibits=[_exhibit(audit, exhibit, number) for number, exhibit in enumerate(exhibits)],
        refuted=len(audit.refuted),
    )
    write_text_atomic(path, page.encode("utf-8", "replace").decode())


def _check(audit: Audit, check: Check, numbers: dict[Any, int]) -> dict[str, Any]:
    result = audit.results[check]
    return {
        "name": check.value,
        "claim": CLAIMS[check],
        "verdict": result.verdict.value,
        "looked_at": looked_at(result),
        "notes": result.notes,
        "count": result.violations,
        "violations": [_violation(violation, numbers) for violation in result.first[:_LISTED]],
    }


def _violation(violation: Violation, numbers: dict[Any, int]) -> dict[str, Any]:
    link = _link(numbers, violation.place, violation.finding.position)
    return {"where": violation.where, "finding": violation.finding, "link": link}


def _link(numbers: dict[Any, int], place: Any, position: int | None) -> str | None:
    """Return the anchor of a token, or of its trajectory, when it is on the page."""
    number = numbers.get((place.step, place.line))
    if number is None:
        return None
    return f"e{number}" if position is None else f"e{number}-{position}"


def _histogram(gaps: Gaps, tolerance: float) -> dict[str, Any]:
    """Return the histogram's bars; their heights are logarithms, so that single tokens are seen beside millions."""
    counts = list(gaps.histogram()) if gaps.count else []
    most = max((math.log10(count + 1) for _, count in counts), default=1.0)
    bars = [
        {
            "label": label,
            "count": f"{count:,}",
            "x": number * _BAR,
            "height": round(_HEIGHT * math.log10(count + 1) / most, 1),
            "bad": label.startswith("1e") and float(label) >= tolerance,
        }
        for number, (label, count) in enumerate(counts)
    ]
    return {"bars": bars, "width": max(1, len(bars)) * _BAR, "height": _HEIGHT}


def _exhibit(audit: Audit, exhibit: Exhibit, number: int) -> dict[str, Any]:
    trajectory = exhibit.trajectory
    return {
        "id": f"e{number}",
        "place": f"{exhibit.place.file}:{exhibit.place.line}",
        "trajectory": trajectory,
        "largest": exhibit.largest if exhibit.fresh else None,
        "findings": exhibit.findings,
        "tokens": _tokens(audit, exhibit, number),
        "length": len(trajectory.tokens),
    }


def _tokens(audit: Audit, exhibit: Exhibit, number: int) -> list[dict[str, Any]]:
    """Return what is shown of a trajectory: a dictionary for each token, or for a gap of so many that are left out."""
    trajectory = exhibit.trajectory
    marked = {finding.position for finding in exhibit.findings if finding.position is not None}
    sampled_at = {position: rest for _, position, *rest in sampled(trajectory)}
    pieces = audit.rerender.pieces(trajectory.tokens)
    shown: list[dict[str, Any]] = []
    kept = _kept(exhibit, marked)
    for position, (token, origin, turn) in enumerate(_walk(trajectory)):
        if position not in kept:
            if not shown or "left_out" not in shown[-1]:
                shown.append({"left_out": 0})
            shown[-1]["left_out"] += 1
            continue
        facts = [f"token {position}", f"id {token}", origin.value + (f", turn {turn + 1}" if turn is not None else "")]
        gap = 0.0
        if position in sampled_at:
            engine, version = sampled_at[position]
            facts += [f"engine {engine:.6g}", f"version {version}"]
            if position in exhibit.fresh:
                gap = abs(engine - exhibit.fresh[position])
                facts += [f"fresh {exhibit.fresh[position]:.6g}", f"gap {gap:.2g}"]
        shown.append(
            {
                "id": f"e{number}-{position}",
                "origin": origin.value,
                "text": _visible(pieces[position]),
                "facts": " · ".join(facts),
                "heat": _heat(gap, audit.tolerance),
                "marked": position in marked,
            }
        )
    return shown


def _kept(exhibit: Exhibit, marked: set[int]) -> set[int]:
    """Return the positions that are shown: all of a short trajectory, else its ends and what is of interest."""
    length = len(exhibit.trajectory.tokens)
    if length <= _LONG:
        return set(range(length))
    engine = {position: logprob for _, position, logprob, _ in sampled(exhibit.trajectory)}
    gaps = sorted(exhibit.fresh, key=lambda at: -abs(engine[at] - exhibit.fresh[at]))
    kept = {*range(_HEAD), *range(length - _TAIL, length)}
    for place in [*sorted(marked)[:5], *gaps[:3]]:
        kept |= {*range(max(0, place - _NEAR), min(length, place + _NEAR))}
    return kept | marked


def _walk(trajectory: Trajectory) -> list[tuple[int, Origin, int | None]]:
    """Return each token with its origin and the turn it belongs to."""
    walked: list[tuple[int, Origin, int | None]] = []
    turn = -1
    for segment in trajectory.segments:
        turn += segment.origin is Origin.ACTION
        walked += [(token, segment.origin, turn if turn >= 0 else None) for token in segment.tokens]
    return walked


def _heat(gap: float, tolerance: float) -> int:
    """Return how hot a gap is: the highest degree from the tolerance on, one less for each decade below, 0 for none."""
    if not gap or not tolerance:
        return _HEAT if gap else 0
    if not math.isfinite(gap):
        return _HEAT
    return min(_HEAT, max(0, _HEAT + math.floor(math.log10(gap / tolerance))))


def _visible(text: str) -> str:
    """Show line ends and control characters."""
    return "".join("↵\n" if c == "\n" else printable(c) for c in text) or "∅"
