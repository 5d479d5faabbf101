// What is shown of a row: in the table, and wherever else an episode is named.

import { h, plain } from "./dom.js";
import { count, num, seconds, words } from "./format.js";
import { calls } from "./rows.js";

// What a row shows, in the order of the columns.
export function cells(row, link) {
  const called = Object.entries(row.tools).filter(([, times]) => times);
  const attributes = Object.entries(row.attributes).map(
    ([key, value]) => `${key} ${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  const cell = (name, properties, ...children) => h(`div.cell.${name}`, { role: "gridcell", ...properties }, children);
  return [
    cell("number", null, row.number),
    cell(
      "task",
      { title: attributes.join("\n") },
      h("a", { href: link, tabindex: -1 }, plain(row.task)),
      h("span.dim", null, ` ·${row.sample}${row.part ? `/${row.part}` : ""}`),
    ),
    cell("first", { title: row.first }, h("bdi", null, plain(row.first ?? ""))),
    cell("reward.number", null, reward(row)),
    cell("stop", row.failure && { title: `${row.failure.source}: ${row.failure.message}` }, ended(row)),
    cell("turns.number", { "data-unit": "turns" }, num(row.turns)),
    cell("tokens.number", { "data-unit": "tokens" }, num(row.tokens)),
    cell("action.number", null, num(row.action_tokens)),
    cell(
      "calls.number",
      { title: called.map(([tool, times]) => `${tool} ${times}`).join("\n"), "data-unit": "calls" },
      num(calls(row)),
    ),
    cell("invalid.number", null, row.invalid ? h("span.bad", null, row.invalid) : h("span.dim", null, "0")),
    cell("seconds.number", { "data-unit": "" }, seconds(row.seconds)),
  ];
}

export function reward(row) {
  const verdict = row.success === null ? "" : row.success ? ".good" : ".bad";
  const spoken = row.success === null ? null : row.success ? "succeeded" : "did not succeed";
  return h(`span.score${verdict}`, { title: spoken }, num(row.reward), spoken && h("span.unseen", null, `, ${spoken}`));
}

export function ended(row) {
  if (!row.failure) return h("span", null, words(row.stop));
  return h(
    `span.failed.${row.failure.cause === "policy" ? "policy" : "other"}`,
    null,
    `${row.failure.cause}: `,
    plain(row.failure.source),
  );
}

export function about(row) {
  return `${count(row.turns, "turn")} · ${count(row.tokens, "token")} · ${seconds(row.seconds)}`;
}
