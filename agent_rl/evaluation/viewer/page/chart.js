// Curves: thin as measured, thick smoothed. The value under the pointer stands in the legend; a click opens the step.

import { fill, h, s } from "./dom.js";
import { num } from "./format.js";

const WIDTH = 360;
const HEIGHT = 190;
const EDGE = { left: 46, right: 10, top: 8, bottom: 20 };
export const COLOURS = 6;

// A figure with an `update(data)` that draws the same chart with what has come since.
export function chart(data, openStep) {
  const figure = h("figure.card.chart");
  const state = { cursor: null };
  figure.update = (next) => draw(figure, next, state, openStep);
  figure.update(data);
  return figure;
}

function draw(figure, data, state, openStep) {
  const lines = data.lines.map((line) => ({ ...line, smooth: smooth(line.values) }));
  const scales = scalesOf(data, lines);
  const pen = s("g.cursor");
  const svg = s(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, tabindex: 0, role: "img", "aria-label": spoken(data, lines) },
    axes(scales),
    lines.map((line, index) => curve(line, index, data.steps, scales)),
    pen,
  );
  const values = lines.map(() => h("span.number"));
  const legend = lines.map((line, index) =>
    h("li", null, h(`i.swatch.c${index % COLOURS}`), `${line.label} `, values[index]),
  );
  const where = h("span.dim.number");
  const show = (index) => {
    state.cursor = index;
    mark(pen, lines, index, data.steps, scales);
    const at = index ?? data.steps.length - 1;
    where.textContent = data.steps.length ? `step ${data.steps[at]}` : "";
    lines.forEach(
      (line, one) =>
        (values[one].textContent = num(
          index === null ? line.smooth.findLast((value) => value !== null) : line.values[at],
        )),
    );
  };
  listen(svg, data, scales, show, state, openStep);
  fill(figure, h("figcaption", null, h("b", null, data.title), where), h("ul.legend", null, legend), svg);
  show(state.cursor !== null && state.cursor < data.steps.length ? state.cursor : null);
}

function listen(svg, { steps }, scales, show, state, openStep) {
  const nearest = (event) => {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * WIDTH;
    return steps.reduce(
      (best, step, index) => (Math.abs(scales.x(step) - x) < Math.abs(scales.x(steps[best]) - x) ? index : best),
      0,
    );
  };
  svg.addEventListener("pointermove", (event) => show(nearest(event)));
  svg.addEventListener("pointerleave", () => show(null));
  svg.addEventListener("click", (event) => event.pointerType !== "touch" && openStep?.(steps[nearest(event)])); // a tap tells the value
  svg.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Enter" && state.cursor !== null) openStep?.(steps[state.cursor]);
    else if (by) show(Math.min(steps.length - 1, Math.max(0, (state.cursor ?? steps.length) + by)));
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
}

function scalesOf({ steps, bounds }, lines) {
  const values = lines.flatMap((line) => line.values).filter((value) => value !== null);
  const [low, high] = bounds ?? padded(Math.min(...values), Math.max(...values), 0.05);
  const [first, last] = padded(steps[0], steps.at(-1), 0);
  const between = (a, b, from, to) => (value) => from + ((value - a) / (b - a)) * (to - from);
  return {
    low,
    high,
    first: steps[0],
    last: steps.at(-1),
    x: between(first, last, EDGE.left, WIDTH - EDGE.right),
    y: between(low, high, HEIGHT - EDGE.bottom, EDGE.top),
  };
}

function padded(low, high, share) {
  return low === high ? [low - 0.5, high + 0.5] : [low - share * (high - low), high + share * (high - low)];
}

function axes({ low, high, first, last, x, y }) {
  const rows = ticks(low, high).map((tick) => [
    s("path.gridline", { d: `M${EDGE.left} ${y(tick)}H${WIDTH - EDGE.right}` }),
    s("text", { x: EDGE.left - 6, y: y(tick), dy: ".35em", "text-anchor": "end" }, num(tick)),
  ]);
  const columns = ticks(first, last, true).map((tick) =>
    s("text", { x: x(tick), y: HEIGHT - 4, "text-anchor": "middle" }, num(tick)),
  );
  return [rows, columns];
}

// Up to six round numbers between two.
export function ticks(low, high, whole = false) {
  if (!(high > low)) return [low];
  const power = 10 ** Math.floor(Math.log10((high - low) / 5));
  let step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size * 5 >= (high - low) * (1 - 1e-9));
  if (whole) step = Math.max(1, step);
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, index) => (first + index) * step);
}

function curve(line, index, steps, scales) {
  const path = (values) => {
    let pen = "M";
    return values.map((value, at) => {
      if (value === null) return ((pen = "M"), "");
      const drawn = `${pen}${scales.x(steps[at]).toFixed(1)} ${scales.y(value).toFixed(1)}${pen === "M" ? "h0" : ""}`;
      pen = "L";
      return drawn;
    });
  };
  const colour = `c${index % COLOURS}`;
  return [
    s(`path.raw.${colour}`, { d: path(line.values).join("") }),
    s(`path.line.${colour}`, { d: path(line.smooth).join("") }),
  ];
}

function mark(pen, lines, index, steps, scales) {
  if (index === null) return fill(pen);
  const x = scales.x(steps[index]);
  const dots = lines.map(
    (line, one) =>
      line.values[index] !== null && s(`circle.c${one % COLOURS}`, { cx: x, cy: scales.y(line.values[index]), r: 3.5 }),
  );
  fill(pen, s("path", { d: `M${x} ${EDGE.top}V${HEIGHT - EDGE.bottom}` }), dots);
}

// The centred moving average over an eighth of the values, which lags behind neither way.
export function smooth(values) {
  const reach = Math.floor(values.length / 16);
  return values.map((_, index) => {
    const known = values.slice(Math.max(0, index - reach), index + reach + 1).filter((value) => value !== null);
    return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
  });
}

function spoken({ title, steps }, lines) {
  const parts = lines.map(
    ({ label, smooth: values }) =>
      `${label} from ${num(values.find((value) => value !== null))} to ${num(values.findLast((value) => value !== null))}`,
  );
  return `${title}, steps ${steps[0]} to ${steps.at(-1)}: ${parts.join(", ")}`;
}

// A share of something as parts of a bar, with a legend.
export function shares(parts) {
  const label = parts.map(([name, share]) => `${name} ${(100 * share).toFixed(1)} %`);
  return h(
    "div.shares",
    null,
    h(
      "div.bar",
      { role: "img", "aria-label": label.join(", ") },
      parts.map(([name, share], index) =>
        h(`i.c${(index + 1) % COLOURS}`, {
          size: { width: `${100 * share}%` },
          title: `${name} ${(100 * share).toFixed(1)} %`,
        }),
      ),
    ),
    h(
      "ul.legend",
      null,
      parts.map(([name, share], index) =>
        h(
          "li",
          null,
          h(`i.swatch.c${(index + 1) % COLOURS}`),
          `${name} `,
          h("span.number", null, `${(100 * share).toFixed(1)} %`),
        ),
      ),
    ),
  );
}
