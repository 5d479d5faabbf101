"""An audit as text for a terminal."""

from collections.abc import Iterator

from agent_rl.core.text import printable
from agent_rl.rollout.audit.findings import Result, Verdict, counted
from agent_rl.rollout.audit.gaps import Gaps
from agent_rl.rollout.audit.result import Audit

_SHOWN = 5  # violations of a check
_BAR = 40  # columns of the longest bar
_CUT = 160  # characters of a text that is shown


def lines(audit: Audit) -> Iterator[str]:
    """Yield the report, line by line; nothing that a model wrote can steer the terminal."""
    for line in [*_verdicts(audit), *_violations(audit), *_gaps(audit.gaps, audit.tolerance), "", conclusion(audit)]:
        yield printable(line)


def conclusion(audit: Audit) -> str:
    """Return the outcome in one line."""
    counts = [
        f"{sum(result.verdict is verdict for result in audit.results.values())} {verdict}"
        for verdict in Verdict
        if any(result.verdict is verdict for result in audit.results.values())
    ]
    what = f"{counted(audit.trajectories, 'trajectories')} of {written_steps(audit.steps)}"
    violations = counted(audit.violations, "violations")
    return f"{what}: {violations} (checks: {', '.join(counts)}) in {audit.seconds:.1f} s"


def written_steps(steps: list[int]) -> str:
    """Return the steps that were read, in words."""
    return f"step {steps[0]}" if len(steps) == 1 else f"steps {steps[0]} to {steps[-1]}"


def looked_at(result: Result) -> str:
    """Return what a check looked at, `384 trajectories, 49,896 tokens`."""
    return ", ".join(counted(count, unit) for unit, count in result.looked_at.items() if count)


def _verdicts(audit: Audit) -> Iterator[str]:
    for check, result in audit.results.items():
        count = f"{counted(result.violations, 'violations')} in " if result.violations else ""
        yield f"{result.verdict:<12} {check:<9} {count}{looked_at(result)}".rstrip()
        for note in result.notes:
            yield f"{'':<23}{note}"


def _violations(audit: Audit) -> Iterator[str]:
    for check, result in audit.results.items():
        if result.violations:
            yield from ["", f"{check}: {counted(result.violations, 'violations')}"]
        for violation in result.first[:_SHOWN]:
            finding = violation.finding
            yield f"  {violation.where}"
            yield f"    {finding.what}"
            if finding.expected:
                yield f"    expected {_cut(finding.expected)}"
            if finding.found:
                yield f"    found    {_cut(finding.found)}"
        if result.violations > _SHOWN:
            yield f"  and {result.violations - _SHOWN:,} more"


def _gaps(gaps: Gaps, tolerance: float) -> Iterator[str]:
    if gaps.largest is None:
        return
    yield ""
    yield (
        f"gaps of {gaps.count:,} log-probabilities: mean {gaps.mean:.2g}, largest {gaps.largest:.2g} "
        f"(tolerance {tolerance:g})"
    )
    most = max(count for _, count in gaps.histogram())
    for label, count in gaps.histogram():
        yield f"  {label:>6} {count:>9,} {'#' * -(-_BAR * count // most)}"
    yield "worst tokens"
    for token in gaps.worst[:_SHOWN]:
        yield f"  {token.gap:.2g}: engine {token.engine:.7g}, fresh {token.fresh:.7g}, version {token.version}"
        yield f"    {_cut(repr(token.text))} behind {_cut(repr(token.context))}"
        yield f"    {token.place} turn {token.turn + 1} token {token.position}"


def _cut(text: str) -> str:
    return text if len(text) <= _CUT else f"{text[:_CUT]} …"
