// A run: how it went, what was measured, and the way to every trajectory of it.

import { chart, shares } from "./chart.js";
import { fill, h, plain } from "./dom.js";
import { count, num, percent } from "./format.js";
import { results } from "./results.js";
import { fileHash, go } from "./route.js";
import { load, runPath } from "./source.js";

export async function showRun(main, { run: id }) {
  const run = await load(runPath(id), true);
  const page = new Overview(main, run);
  return { title: run.name, keys: {}, refresh: (next) => page.update(next) };
}

class Overview {
  constructor(main, run) {
    this.charts = new Map();
    this.parts = Object.fromEntries(
      ["head", "heldOut", "results", "files", "curves", "time"].map((name) => [name, h("section")]),
    );
    this.drawn = {};
    this.update(run);
    fill(main, h("div.page", null, Object.values(this.parts), howItWasRun(run)));
  }

  // Draws what has changed, and leaves alone what has not: what one has opened stays open.
  update(run) {
    this.run = run;
    this.draw("head", [run.name, run.state], () => head(run));
    this.draw("heldOut", run.held_out, () => heldOut(run.held_out));
    this.draw("results", run.results, () => run.results && [h("h2", null, "Results"), results(run.results)]);
    this.draw(
      "time",
      run.time_shares,
      () =>
        run.time_shares.length > 0 && [
          h("h2", null, "Where the time went"),
          h("div.card", null, shares(run.time_shares)),
        ],
    );
    this.draw("files", [run.files, run.charts[0]], () => files(run));
    this.drawCharts(run.charts);
  }

  draw(name, data, make) {
    const written = JSON.stringify(data);
    if (this.drawn[name] === written) return;
    this.drawn[name] = written;
    fill(this.parts[name], make());
  }

  drawCharts(charts) {
    const known = charts.filter(({ steps }) => steps.length);
    for (const data of known) {
      const figure = this.charts.get(data.title);
      if (figure) figure.update(data);
      else
        this.charts.set(
          data.title,
          chart(data, (step) => this.openStep(step)),
        );
    }
    if (known.length && this.parts.curves.childElementCount === 0)
      fill(this.parts.curves, h("h2", null, "Curves"), (this.figures = h("div.grid")));
    for (const { title } of known) if (!this.charts.get(title).isConnected) this.figures.append(this.charts.get(title));
  }

  openStep(step) {
    const file = this.run.files.find((one) => one.kind === "training" && one.step === step);
    if (file) go(fileHash(this.run.id, file.name));
  }
}

function head(run) {
  const steps = run.charts[0]?.steps.at(-1);
  const parts = [run.kind === "train" ? "training" : "evaluation", run.state, steps && `step ${num(steps)}`];
  const part =
    run.left_out > 0 &&
    h(
      "p.dim",
      null,
      `This exported file holds a part of the run; ${count(run.left_out, "file")} of trajectories are not in it.`,
    );
  return [
    h("h1", null, plain(run.name)),
    h("p.dim", null, h(`i.state.${run.state}`), parts.filter(Boolean).join(" · ")),
    part,
  ];
}

function heldOut(rows) {
  if (!rows.length) return null;
  const cell = (before, after) =>
    h(
      "td",
      null,
      h(
        "div.change",
        null,
        h("span.number", null, percent(before), h("span.dim", null, " → "), h("b", null, percent(after))),
        track(before, after),
      ),
    );
  const head = h("tr", null, h("td"), h("th", { scope: "col" }, "greedy"), h("th", { scope: "col" }, "sampled"));
  const body = rows.map((row) =>
    h(
      "tr",
      null,
      h("th", { scope: "row" }, row.label),
      cell(row.before, row.after),
      cell(row.before_sampled, row.after_sampled),
    ),
  );
  return [
    h("h2", null, "Success on held-out tasks, before and after"),
    h("div.card", null, h("table.held", null, h("thead", null, head), h("tbody", null, body))),
  ];
}

function track(before, after) {
  const place = (share) => `${100 * share}%`;
  return h(
    "div.track",
    { "aria-hidden": true },
    after !== null && h("i.fill", { size: { width: place(after) } }),
    before !== null && h("i.mark", { size: { left: place(before) } }),
  );
}

const KINDS = [
  ["training", "Training, step by step"],
  ["evaluation", "Evaluations"],
  ["beside", "Played beside the training"],
];

function files(run) {
  const blocks = KINDS.map(([kind, title]) => [title, kind, run.files.filter((file) => file.kind === kind)]).filter(
    ([, , some]) => some.length,
  );
  if (!blocks.length)
    return h(
      "p.empty",
      null,
      run.state === "running"
        ? "No trajectories yet: they appear here as they are played."
        : "There are no trajectories in this run.",
    );
  const level = successByStep(run.charts);
  return [
    h("h2", null, "Trajectories"),
    blocks.map(([title, kind, some]) => [
      h("h3", null, title),
      h(
        `ul.files.${kind}`,
        null,
        some.map((file) => link(run, file, kind === "training" ? level.get(file.step) : undefined)),
      ),
    ]),
  ];
}

// A step is a tile as full as its success.
function link(run, file, level) {
  const many =
    file.count === null
      ? ""
      : file.of > file.count
        ? `${num(file.count)} of ${num(file.of)}`
        : count(file.count, "trajectory", "trajectories");
  const title = [file.title, many, level !== undefined && `success ${percent(level)}`].filter(Boolean).join(", ");
  const short = file.kind === "evaluation" || file.step === null;
  const bar = level !== undefined && h("i.level", { size: { height: `${100 * level}%` }, "aria-hidden": true });
  return h(
    "li",
    null,
    h(
      "a",
      { href: fileHash(run.id, file.name), title, "aria-label": title },
      bar,
      h("span", null, short ? file.title : num(file.step)),
      short && h("span.dim", null, many),
    ),
  );
}

function successByStep(charts) {
  const found = charts.find(({ title, bounds }) => bounds && /success/i.test(title));
  const line = found?.lines.find(({ label }) => label === "all") ?? found?.lines.at(-1);
  return new Map(line ? found.steps.map((step, index) => [step, line.values[index] ?? undefined]) : []);
}

function howItWasRun(run) {
  const facts = Object.entries(run.facts ?? {})
    .map(([name, value]) => [name, written(value)])
    .filter(([, text]) => text !== "");
  const rows = [["command", run.command], ...facts.filter(([name]) => name !== "command")].filter(([, text]) => text);
  const table = h(
    "table.facts",
    null,
    h(
      "tbody",
      null,
      rows.map(([name, text]) =>
        h(
          "tr",
          null,
          h("th", { scope: "row" }, name),
          h("td", null, h(name === "command" ? "code" : "span", null, plain(text))),
        ),
      ),
    ),
  );
  const config =
    run.config && h("details.card", null, h("summary", null, "Configuration"), h("pre", null, plain(run.config)));
  return h("section", null, h("h2", null, "How it was run"), h("div.card", null, table), config);
}

function written(value) {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.map(written).join(" ");
  if (typeof value === "object")
    return Object.entries(value)
      .filter(([, one]) => written(one))
      .map(([name, one]) => `${name} ${written(one)}`)
      .join(", ");
  return String(value);
}
