"""The viewer in a terminal: runs, one run, one trajectory, its tokens."""

from collections.abc import Iterator
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from agent_rl.evaluation.curves import smooth
from agent_rl.evaluation.viewer.library import Library, NotThereError, detail_path, file_path, run_path
from agent_rl.evaluation.viewer.overview import MOMENTS
from agent_rl.evaluation.viewer.rows import OUTLINES, choose
from agent_rl.evaluation.viewer.runs import RunFile, ViewedRun
from agent_rl.tracking.console import sparkline

_WIDTH = 40  # columns of a curve
_LONG = 600  # characters of a message that an overview shows
_STYLES = {"system": "bright_black", "user": "bold", "assistant": "cyan", "tool": "yellow", "action": "cyan"}
_STATES = {"running": "green", "finished": "", "stopped": "yellow"}


def show(library: Library, console: Console, place: str = "", tokens: bool = False) -> None:
    """Print what a library has.

    Args:
        library: The runs.
        console: Where to.
        place: A trajectory, such as `evaluations/after/3`, before it the run's id where there are several; nothing for
            an overview.
        tokens: Whether to print the trajectory's tokens instead of the conversation.

    Raises:
        UserError: There is no such trajectory, or it cannot be read.
    """
    runs = library.runs()
    if place:
        run, file, number = _found(runs, place)
        detail = library.answer(detail_path(run, file.name, number))
        console.print(_header(f"{file.title}, {number} of {run.name}", detail["row"]))
        console.print(_tokens(detail) if tokens else _conversation(detail))
    elif len(runs) > 1:
        console.print(_list(runs))
    else:
        _run(library, runs[0], console)


def _found(runs: list[ViewedRun], place: str) -> tuple[ViewedRun, RunFile, int]:
    name, _, number = place.strip("/").rpartition("/")
    for run in runs:
        own = name if len(runs) == 1 else name.removeprefix(f"{run.id}/")
        if (len(runs) == 1 or own != name) and own in run.files and number.isdecimal():
            return run, run.files[own], int(number)
    example = "evaluations/after/3" if len(runs) == 1 else f"{runs[0].id}/evaluations/after/3"
    raise NotThereError(f"there is no trajectory {place!r}; a trajectory is called like {example}")


def _list(runs: list[ViewedRun]) -> Table:
    table = _table("run", "kind", "env", "model", "algorithm", ">step", "state", ">success")
    for told in (run.summary() for run in runs):
        step = f"{told['step']}/{told['steps']}" if told["steps"] else "-"
        words = [told[name] or "-" for name in ("name", "kind", "env", "model", "algorithm")]
        state = Text(told["state"], _STATES[told["state"]])
        table.add_row(*map(plain, words), step, state, _share(told["success"]))
    return table


def _run(library: Library, run: ViewedRun, console: Console) -> None:
    told = library.answer(run_path(run))
    summary = run.summary()
    words = [summary[name] for name in ("kind", "env", "model", "algorithm") if summary[name]]
    steps = f", step {summary['step']} of {summary['steps']}" if summary["steps"] else ""
    console.print(plain(run.name, "bold"), plain(f"{' '.join(words)}{steps}, {told['state']}", "bright_black"))
    for part in (_held_out(told), _results(told), _charts(told), _times(told), _files(told)):
        if part.row_count:
            console.print(Padding(part, (1, 0, 0, 0)))
    for file in _shown(run):
        library.answer(file_path(run, file.name))  # which tells what cannot be read
        for outline in choose(OUTLINES.get(file.path), run.success_at):
            detail = library.answer(detail_path(run, file.name, outline.number))
            console.print()
            console.print(_header(f"{file.name}/{outline.number}", detail["row"]))
            console.print(_conversation(detail, _LONG))


def _shown(run: ViewedRun) -> list[RunFile]:
    """Return the file of which an overview shows some episodes, if any: what was measured last, else the last step."""
    files = list(run.files.values())
    measured = [file for file in files if file.kind == "evaluation"]
    named = [run.files[name] for name in ("evaluations/after_sampled", "evaluations/after") if name in run.files]
    return [*named, *reversed(measured or files)][:1]


def _held_out(told: dict[str, Any]) -> Table:
    table = _table("held-out success", *(f">{moment.replace('_', ' ')}" for moment in MOMENTS))
    for row in told["held_out"]:
        table.add_row(plain(row["label"]), *(_share(row[moment]) for moment in MOMENTS))
    return table


def _results(told: dict[str, Any]) -> Table:
    table = _table("metric", ">mean", "95 % interval", ">tasks")
    for name, figure in ((told["results"] or {}).get("metrics") or {}).items():
        interval = f"{figure['low']:.3f} to {figure['high']:.3f}"
        table.add_row(plain(name), f"{figure['mean']:.3f}", interval, str(figure["tasks"]))
    return table


def _charts(told: dict[str, Any]) -> Table:
    table = _table("curve", "", ">first", ">last", title=False)
    for chart in told["charts"]:
        for number, line in enumerate(chart["lines"]):
            known = [value for value in smooth(line["values"]) if value is not None]
            bounds = tuple(chart["bounds"]) if chart["bounds"] else None
            label = chart["title"] if len(chart["lines"]) == 1 else f"{chart['title']}: {line['label']}"
            label = label if number == 0 or len(chart["lines"]) == 1 else f"  {line['label']}"
            curve = Text(sparkline(known, _WIDTH, bounds), "cyan")
            table.add_row(plain(label), curve, f"{known[0]:.4g}", f"{known[-1]:.4g}")
    return table


def _times(told: dict[str, Any]) -> Table:
    table = _table("time", ">share", title=False)
    for name, share in told["time_shares"]:
        table.add_row(plain(name), _share(share))
    return table


def _files(told: dict[str, Any]) -> Table:
    """Return the files; of many steps the first and the last."""
    table = _table("trajectories", "", title=False)
    steps = [file for file in told["files"] if file["kind"] != "evaluation"]
    left_out = steps[2:-2] if len(steps) > 6 else []
    for file in told["files"]:
        if file not in left_out:
            table.add_row(plain(file["name"]), plain(file["title"], "bright_black"))
        elif file is left_out[0]:
            table.add_row(f"… {len(left_out)} more", "")
    return table


def _header(title: str, row: dict[str, Any]) -> RenderableType:
    won = {True: ("success", "green"), False: ("no success", "red"), None: ("not usable", "yellow")}[row["success"]]
    attributes = " ".join(f"{name}={value}" for name, value in row["attributes"].items())
    facts = f"{row['turns']} turns, {row['tokens']} tokens, {row['stop']}, {row['seconds']:.1f} s"
    line = Text.assemble((title, "bold"), "  ", (f"reward {row['reward']:.4g}", won[1]), f" {won[0]}")
    told = [plain(f"{row['task']} sample {row['sample']}  {attributes}", "bright_black"), plain(facts, "bright_black")]
    failure = row["failure"]
    if failure:
        told.append(plain(f"failure ({failure['cause']}) in {failure['source']}: {failure['message']}", "red"))
    return Group(line, *told)


def _conversation(detail: dict[str, Any], most: int | None = None) -> RenderableType:
    return Group(*(part for message in detail["messages"] for part in _message(message, most)))


def _message(message: dict[str, Any], most: int | None) -> Iterator[RenderableType]:
    role = message["role"]
    title = Text(role, f"{_STYLES.get(role, '')} underline")
    if message["name"]:
        title.append_text(plain(f" {message['name']}"))
    if message["reward"]:
        title.append(f"  reward {message['reward']:.4g}", "bright_black")
    yield title
    if message["reasoning"]:
        yield _indented(message["reasoning"], most, "italic bright_black")
    if message["text"]:
        yield _indented(message["text"], most)
    if message["images"]:
        yield _indented(f"[{len(message['images'])} images]", None, "bright_black")
    for call in message["calls"]:
        text = f"{call['arguments']}  {call['error']}" if call["invalid"] else f"{call['name']} {call['arguments']}"
        yield _indented(text, most, "red" if call["invalid"] else "magenta")


def _tokens(detail: dict[str, Any]) -> Table:
    """Return every token, with what engine and trainer say of those that were sampled."""
    table = _table(">", "origin", "token", ">engine", ">trainer", ">gap", ">advantage", ">version")
    learned = detail["learned"] or {"logprobs": [], "advantages": []}
    place, sampled = 0, 0
    for segment in detail["segments"]:
        origin = Text(segment["origin"], _STYLES.get(segment["origin"], "bright_black"))
        for number, text in enumerate(segment["texts"]):
            cells: list[str] = []
            if segment["origin"] == "action":
                engine, trainer = segment["logprobs"][number], _at(learned["logprobs"], sampled)
                gap = None if trainer is None else trainer - engine
                values = (engine, trainer, gap, _at(learned["advantages"], sampled))
                cells = [
                    *("" if value is None else f"{value:.4f}" for value in values),
                    str(segment["versions"][number]),
                ]
                sampled += 1
            table.add_row(str(place), origin, plain(repr(text)), *cells)
            place += 1
    return table


def plain(text: str, style: str = "") -> Text:
    """Return a text with all that a terminal would obey, or that would not be seen, written as an escape."""
    shown = "".join(one if one.isprintable() or one == "\n" else _escaped(one) for one in text)
    return Text(shown, style)


def _escaped(letter: str) -> str:
    return "    " if letter == "\t" else letter.encode("unicode_escape").decode()


def _indented(text: str, most: int | None, style: str = "") -> RenderableType:
    cut = text if most is None or len(text) <= most else f"{text[:most]} … ({len(text) - most} more characters)"
    return Padding(plain(cut, style), (0, 0, 0, 2))


def _table(*columns: str, title: bool = True) -> Table:
    """Return a table; a column whose name begins with `>` stands to the right."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bright_black", show_header=title)
    for name in columns:
        table.add_column(name.removeprefix(">"), justify="right" if name.startswith(">") else "left")
    return table


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _at(values: list[float | None], place: int) -> float | None:
    return values[place] if place < len(values) else None
