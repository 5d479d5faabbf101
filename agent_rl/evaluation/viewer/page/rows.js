// Choosing and ordering the rows of a file: what a query says, applied. Nothing is drawn here.

import { count, words } from "./format.js";

export const calls = (row) => Object.values(row.tools).reduce((sum, times) => sum + times, 0);

// Every column: its name in the URL, its title, the value it is sorted by, and whether numbers stand in it.
export const COLUMNS = [
  { name: "number", title: "#", of: (row) => row.number, number: true },
  { name: "task", title: "Task", of: (row) => row.task },
  { name: "first", title: "First words of the user", of: (row) => row.first },
  { name: "reward", title: "Reward", of: (row) => row.reward, number: true },
  { name: "stop", title: "Ended by", of: (row) => (row.failure ? `~${row.failure.cause}` : row.stop) },
  { name: "turns", title: "Turns", of: (row) => row.turns, number: true },
  { name: "tokens", title: "Tokens", of: (row) => row.tokens, number: true },
  { name: "action", title: "Sampled", of: (row) => row.action_tokens, number: true },
  { name: "calls", title: "Calls", of: calls, number: true },
  { name: "invalid", title: "Invalid", of: (row) => row.invalid, number: true },
  { name: "seconds", title: "Seconds", of: (row) => row.seconds, number: true },
];

const SUCCESS = { true: "succeeded", false: "did not", null: "not known" };

// What one can filter by: each has a name in the URL and gives the values that a row has.
const FACETS = [
  { name: "success", title: "Success", of: (row) => [String(row.success)], label: (value) => SUCCESS[value] },
  { name: "stop", title: "Ended by", of: (row) => [row.stop], label: words },
  {
    name: "failure",
    title: "Failure",
    of: (row) => (row.failure ? ["any", `${row.failure.cause}: ${row.failure.source}`] : ["none"]),
  },
  {
    name: "tool",
    title: "Tool",
    of: (row) => (calls(row) ? Object.keys(row.tools).filter((tool) => row.tools[tool]) : ["none"]),
  },
];

const MOST = 40; // values of an attribute that still make a list to choose from

// The facets that divide these rows, each with its values and how many rows have them.
export function facets(rows) {
  const attributes = [...new Set(rows.flatMap((row) => Object.keys(row.attributes)))].sort();
  const own = attributes.map((key) => ({
    name: `a.${key}`,
    title: words(key),
    of: (row) => [shown(row.attributes[key])],
  }));
  return [...FACETS, ...own]
    .map((facet) => ({ ...facet, values: tally(rows, facet.of) }))
    .filter(({ values }) => values.size > 1 && values.size <= MOST);
}

function shown(value) {
  return value === undefined ? "none" : typeof value === "string" ? value : JSON.stringify(value);
}

function tally(rows, of) {
  const found = new Map();
  for (const row of rows) for (const value of of(row)) found.set(value, (found.get(value) ?? 0) + 1);
  return new Map([...found].sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true })));
}

// The rows that a query asks for, in its order. `found` holds the numbers that a text search found, null without one.
export function choose(rows, query, found) {
  const asked = facets(rows).filter((facet) => query.get(facet.name) !== null);
  const kept = rows.filter(
    (row) => (!found || found.has(row.number)) && asked.every((facet) => facet.of(row).includes(query.get(facet.name))),
  );
  const column = COLUMNS.find(({ name }) => name === query.get("sort"));
  return column ? sorted(kept, column, query.get("down") === "1") : kept;
}

function sorted(rows, column, down) {
  const way = down ? -1 : 1;
  const compare = column.number
    ? (a, b) => a - b
    : (a, b) => String(a).localeCompare(String(b), "en", { numeric: true });
  const known = (value) => value !== null && value !== undefined;
  return rows
    .map((row) => [column.of(row), row])
    .sort(([a, first], [b, second]) => {
      if (!known(a) || !known(b)) return known(b) - known(a) || first.number - second.number;
      return way * compare(a, b) || first.number - second.number;
    })
    .map(([, row]) => row);
}

// One line about what is shown: how many, and how they did.
export function summary(rows, total) {
  const usable = rows.filter((row) => !row.failure || row.failure.cause === "policy");
  const judged = usable.filter((row) => row.success !== null);
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const parts = [
    rows.length === total
      ? count(total, "trajectory", "trajectories")
      : `${rows.length.toLocaleString("en")} of ${count(total, "trajectory", "trajectories")}`,
  ];
  if (usable.length) parts.push(`mean reward ${mean(usable.map((row) => row.reward)).toFixed(3)}`);
  if (judged.length) parts.push(`${(100 * mean(judged.map((row) => Number(row.success)))).toFixed(1)} % succeeded`);
  if (usable.length < rows.length) parts.push(`${rows.length - usable.length} failed by something else`);
  return parts.join(" · ");
}
