// The results of an evaluation: every figure with the interval in which it lies.

import { fill, h, s } from "./dom.js";
import { count, num, percent } from "./format.js";

// Metrics by what they speak of, in the order in which one asks.
const KINDS = [
  ["How well", /^(success|reward|reward\/.*|avg@\d+|pass[@^]\d+)$/],
  ["How it ended", /^(stop\/.*|failed\/.*)$/],
  ["What it did and took", /.*/],
];
const SHARE = /^(success|pass[@^]\d+|stop\/.*|failed\/.*)$/;

export function results(found) {
  const names = Object.keys(found.metrics);
  const kind = (name) => KINDS.findIndex(([, pattern]) => pattern.test(name));
  const tables = KINDS.map(([title], index) => {
    const rows = names.filter((name) => kind(name) === index);
    return (
      rows.length > 0 &&
      table(
        title,
        rows.map((name) => [name, found.metrics[name], SHARE.test(name)]),
      )
    );
  });
  return [h("p.dim", null, sentence(found)), h("div.grid.estimates", null, tables), breakdown(found)];
}

function sentence({ env, model, split, n, temperature, tasks, episodes, failures, failures_by_cause: causes = {} }) {
  const parts = [
    `${model} on ${env}`,
    `${count(tasks, "task")} of ${split}, ${count(n, "sample")} each`,
    `temperature ${num(temperature)}`,
    count(episodes, "episode"),
  ];
  const named = Object.entries(causes)
    .map(([cause, times]) => `${cause} ${times}`)
    .join(", ");
  if (failures) parts.push(`${failures} failed by something else and in no figure${named ? ` (${named})` : ""}`);
  return `${parts.join(" · ")}. Intervals are 95 %, over tasks.`;
}

function table(title, rows) {
  const fits = rows.every(([name, { low, high }]) => SHARE.test(name) || (low >= 0 && high <= 1));
  const lines = rows.map(([name, estimate, share]) =>
    h(
      "tr",
      null,
      h("th", { scope: "row" }, breakable(name)),
      estimateCells(estimate, share, (share || fits) && whisker(estimate)),
    ),
  );
  return h("div.card", null, h("table.results", null, h("caption", null, title), h("tbody", null, lines)));
}

// Long names may break behind what joins their words.
function breakable(name) {
  return name.split(/(?<=[/_])/).flatMap((part) => [part, h("wbr")]);
}

function estimateCells({ mean, low, high }, share, drawing) {
  const write = share ? percent : num;
  return [
    h("td.number", null, h("b", null, write(mean))),
    h("td.number.dim", null, `${write(low)} – ${write(high)}`),
    h("td.drawn", null, drawing),
  ];
}

// The interval and the mean on a line from 0 to 1.
function whisker({ mean, low, high }) {
  if (mean === null) return null;
  return s(
    "svg.whisker",
    { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": true },
    s("path.axis", { d: "M0 5H100" }),
    s("path.span", { d: `M${100 * low} 5H${100 * high}` }),
    s("path.mean", { d: `M${100 * mean} 1V9` }),
  );
}

// The same by the tasks' attributes, for a metric that one chooses.
function breakdown(found) {
  const attributes = Object.entries(found.by ?? {});
  if (!attributes.length) return null;
  const names = Object.keys(found.metrics).filter((name) =>
    attributes.some(([, values]) => Object.values(values).some((metrics) => name in metrics)),
  );
  const select = h(
    "select",
    { "aria-label": "Metric", onchange: () => draw() },
    names.map((name) => h("option", { value: name }, name)),
  );
  select.value = names.includes("success") ? "success" : names[0];
  const body = h("div.grid.estimates");
  const draw = () =>
    fill(
      body,
      attributes.map(([attribute, values]) => byAttribute(attribute, values, select.value)),
    );
  draw();
  return [h("div.heading", null, h("h3", null, "By the tasks' attributes"), select), body];
}

function byAttribute(attribute, values, name) {
  const share = SHARE.test(name);
  const known = Object.entries(values).filter(([, metrics]) => metrics[name]);
  const fits = known.every(([, metrics]) => metrics[name].low >= 0 && metrics[name].high <= 1);
  const rows = known.map(([value, metrics]) =>
    h(
      "tr",
      null,
      h("th", { scope: "row" }, value, h("span.dim", null, ` ${count(metrics[name].tasks, "task")}`)),
      estimateCells(metrics[name], share, fits && whisker(metrics[name])),
    ),
  );
  return h("div.card", null, h("table.results", null, h("caption", null, attribute), h("tbody", null, rows)));
}
