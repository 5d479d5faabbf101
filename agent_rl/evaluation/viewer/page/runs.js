// The runs below the folder that is viewed.

import { fill, h, plain } from "./dom.js";
import { ago, num, percent } from "./format.js";
import { go, runHash } from "./route.js";
import { load } from "./source.js";

export async function showRuns(main) {
  const page = new Runs(main);
  page.update(await load("/api/runs", true));
  const refresh = async () => page.update(await load("/api/runs", true));
  return {
    title: "Runs",
    arrows: true,
    keys: {
      j: ["next run", () => page.move(1)],
      k: ["run before", () => page.move(-1)],
      Enter: ["open the run", () => page.open()],
    },
    poll: refresh,
  };
}

const COLUMNS = ["Run", "Kind", "Environment", "Model", "Algorithm", "Step", "Success", "Changed"];

class Runs {
  constructor(main) {
    this.body = h("tbody");
    const head = h(
      "tr",
      null,
      COLUMNS.map((title) => h("th", { scope: "col" }, title)),
    );
    fill(
      main,
      h(
        "div.page",
        null,
        h("h1", null, "Runs"),
        h("div.card", null, h("table.runs", null, h("thead", null, head), this.body)),
      ),
    );
  }

  update({ runs }) {
    this.runs = [...runs].sort((a, b) => (b.state === "running") - (a.state === "running") || b.changed - a.changed);
    const selected = this.selected()?.dataset.id;
    const focused = this.body.contains(document.activeElement);
    fill(this.body, this.runs.map(row));
    if (!runs.length)
      fill(this.body, h("tr", null, h("td.empty", { colspan: COLUMNS.length }, "There is no run here yet.")));
    const again = [...this.body.children].find(({ dataset }) => dataset.id === selected);
    if (again) this.mark(again, focused);
  }

  selected() {
    return this.body.querySelector("tr.selected");
  }

  mark(line, focus = true) {
    this.selected()?.classList.remove("selected");
    line.classList.add("selected");
    if (focus) line.querySelector("a")?.focus();
    line.scrollIntoView({ block: "nearest" });
  }

  move(by) {
    const lines = [...this.body.children];
    const now = lines.indexOf(this.selected());
    const next = lines[now < 0 ? 0 : Math.min(lines.length - 1, Math.max(0, now + by))];
    if (next?.dataset.id) this.mark(next);
  }

  open() {
    const id = this.selected()?.dataset.id;
    if (id) go(runHash(id));
  }
}

function row(run) {
  const of = run.steps ? ` of ${num(run.steps)}` : "";
  const cells = [
    ["Kind", run.kind === "train" ? "training" : "evaluation"],
    ["Environment", run.env],
    ["Model", run.model],
    ["Algorithm", run.algorithm],
    ["Step", run.steps || run.step ? `${num(run.step)}${of}` : null],
    ["Success", run.success === null ? null : h("b.number", null, percent(run.success))],
    ["Changed", h("span.dim", { title: new Date(1000 * run.changed).toLocaleString() }, ago(run.changed))],
  ];
  const name = h(
    "td",
    null,
    h(`i.state.${run.state}`, { title: run.state, role: "img", "aria-label": run.state }),
    h("a", { href: runHash(run.id) }, plain(run.name)),
  );
  return h(
    "tr",
    { "data-id": run.id, onclick: (event) => event.target.closest("a") || go(runHash(run.id)) },
    name,
    cells.map(([title, value]) => h("td", { "data-title": title }, typeof value === "string" ? plain(value) : value)),
  );
}
