// What is known of a trajectory, beside its conversation.

import { reward } from "./cells.js";
import { button, h, plain } from "./dom.js";
import { num, percent, seconds, signed, words } from "./format.js";
import { here, sameView, trajectoryHash } from "./route.js";
import { timing } from "./timing.js";

export function aside(place, messages) {
  const { detail } = place;
  const { row } = detail;
  const toTurn = (turn) => messages.querySelector(`[data-turn="${turn}"]`)?.scrollIntoView({ behavior: "smooth" });
  const section = (title, ...content) => content.some(Boolean) && h("section", null, h("h3", null, title), content);
  const pairs = (values, write) =>
    values.length > 0 &&
    h(
      "dl",
      null,
      values.map(([name, value]) => [h("dt", null, plain(words(name))), h("dd.number", null, write(value))]),
    );
  const counted = Object.entries(row.tools).filter(([, times]) => times);
  return h(
    "aside",
    null,
    section(
      "Reward",
      pairs([["sum", row.reward], ...Object.entries(detail.components), ...advantage(detail)], (value) => num(value)),
    ),
    section("Turns", perTurn(detail.turns, toTurn)),
    section(
      "Time",
      h("p.number", null, seconds(row.seconds), h("span.dim", null, " in all")),
      timing(detail.turns, toTurn),
    ),
    section("Tokens", origins(detail.segments)),
    section(
      "Tools called",
      pairs(counted, (value) => num(value)),
    ),
    section(
      "Counted",
      pairs(Object.entries(detail.counters), (value) => num(value)),
    ),
    section("Group", groupChips(place)),
    section("Tools offered", offered(detail.tools)),
  );
}

// What it was learned with: the same for all tokens with most algorithms, else the mean.
function advantage({ learned }) {
  const known = learned?.advantages.filter((value) => value !== null) ?? [];
  if (!known.length) return [];
  const same = known.every((value) => value === known[0]);
  return [[same ? "advantage" : "mean advantage", known.reduce((sum, value) => sum + value, 0) / known.length]];
}

function perTurn(turns, toTurn) {
  const any = turns.some(({ reward: value, invalid_calls: invalid }) => value || invalid);
  if (!turns.length || !any) return null;
  return h(
    "ol.perturn",
    null,
    turns.map((turn, index) =>
      h(
        "li",
        null,
        button(
          [
            `turn ${index + 1}`,
            h(
              "span.number",
              null,
              turn.invalid_calls > 0 && h("span.bad", null, `${turn.invalid_calls} invalid `),
              signed(turn.reward),
            ),
          ],
          () => toTurn(index),
          { class: "quiet" },
        ),
      ),
    ),
  );
}

const ORIGINS = ["prompt", "action", "observation"];

function origins(segments) {
  const total = segments.reduce((sum, { ids }) => sum + ids.length, 0);
  if (!total) return h("p.dim", null, "not known: the model was hosted");
  const parts = ORIGINS.map((origin) => [
    origin,
    segments.filter((one) => one.origin === origin).reduce((sum, { ids }) => sum + ids.length, 0),
  ]);
  const bar = h(
    "div.bar",
    { "aria-hidden": true },
    parts.map(([origin, many]) => h(`i.t.${origin}`, { size: { width: percent(many / total).replace(" ", "") } })),
  );
  return [
    bar,
    h(
      "ul.legend",
      null,
      parts.map(([origin, many]) =>
        h("li", null, h(`i.swatch.t.${origin}`), `${origin} `, h("span.number", null, num(many))),
      ),
    ),
  ];
}

// The other episodes of the task, to go to.
function groupChips({ run, file, group, detail }) {
  if (group.length < 2) return null;
  const chip = (row) =>
    h(
      "a.chip",
      {
        href: trajectoryHash(run, file, row.number, sameView(here().query)),
        "aria-current": row.number === detail.row.number && "true",
        title: `sample ${row.sample}: reward ${num(row.reward)}, ${words(row.stop)}`,
      },
      reward(row),
    );
  return h("div.chips", null, group.map(chip));
}

function offered(tools) {
  if (!tools?.length) return null;
  return tools.map((tool) => {
    const described = tool.function ?? tool;
    return h(
      "details",
      null,
      h("summary", null, h("code", null, plain(String(described.name ?? "?")))),
      h("pre", null, plain(JSON.stringify(described, null, 1))),
    );
  });
}
