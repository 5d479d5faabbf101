// A trajectory: as a conversation or as its tokens, with what is known of it beside it.

import { aside } from "./aside.js";
import { ended, reward } from "./cells.js";
import { button, fill, h, plain } from "./dom.js";
import { words } from "./format.js";
import { conversation } from "./message.js";
import { choice, go, groupHash, here, sameView, trajectoryHash } from "./route.js";
import { choose } from "./rows.js";
import { detailPath, filePath, find, load } from "./source.js";
import { selected } from "./table.js";
import { tokenView } from "./tokens.js";

export async function showTrajectory(main, route, signal) {
  const { run, file, number, query } = route;
  const [detail, { rows }] = await Promise.all([load(detailPath(run, file, number)), load(filePath(run, file))]);
  const way = neighbours(rows, query, number, query.get("q") ? new Set(await find(run, file, query.get("q"))) : null);
  for (const next of [way.after, way.before])
    if (next !== undefined) load(detailPath(run, file, next)).catch(() => null);
  const group = rows.filter((row) => detail.group.includes(row.number)); // an exported file may hold some of it
  selected.set(filePath(run, file), number);
  const place = { run, file, group, way, detail, asTokens: query.get("view") === "tokens" };
  const to = (next) => next !== undefined && location.replace(trajectoryHash(run, file, next, sameView(query)));
  const body = place.asTokens ? tokenView(detail, signal) : talk(place, query);
  fill(main, h("div.page.trajectory", null, head(place, to), failure(detail.row), body.element));
  return {
    title: `${detail.row.task} · ${detail.row.sample}`,
    settled: body.settled,
    keys: {
      n: ["next trajectory", () => to(way.after)],
      p: ["trajectory before", () => to(way.before)],
      t: [place.asTokens ? "the conversation" : "its tokens", () => go(viewHash(place, !place.asTokens))],
      g: ["its group, side by side", () => go(groupHash(run, file, number, choice(query)))],
      ...body.keys,
    },
  };
}

// Next and previous go the way of the table: its filter, its order.
function neighbours(rows, query, number, found) {
  let list = choose(rows, query, found).map((row) => row.number);
  if (!list.includes(number)) list = rows.map((row) => row.number);
  const index = list.indexOf(number);
  return { before: list[index - 1], after: list[index + 1], index, length: list.length };
}

function viewHash({ run, file, detail }, asTokens, token = null) {
  const query = choice(here().query);
  if (asTokens) query.set("view", "tokens");
  if (token !== null) query.set("token", token);
  return trajectoryHash(run, file, detail.row.number, query);
}

function head(place, to) {
  const { run, file, way, detail, asTokens } = place;
  const { row } = detail;
  const tab = (label, href, on) => h("a", { href, "aria-current": on && "page" }, label);
  return h(
    "header.head",
    null,
    h("h1", null, plain(row.task), h("span.dim", null, ` sample ${row.sample}${row.part ? `, part ${row.part}` : ""}`)),
    h(
      "span.steps.way",
      null,
      button("‹", () => to(way.before), {
        disabled: way.before === undefined,
        title: "the one before (p)",
        "aria-label": "The trajectory before",
      }),
      h("span.dim.number", null, `${way.index + 1} of ${way.length.toLocaleString("en")}`),
      button("›", () => to(way.after), {
        disabled: way.after === undefined,
        title: "the next (n)",
        "aria-label": "The next trajectory",
      }),
    ),
    h(
      "p.badges",
      null,
      reward(row),
      h("span.ended", null, ended(row)),
      Object.entries(row.attributes).map(([name, value]) =>
        h("span.dim", null, plain(`${words(name)} ${typeof value === "string" ? value : JSON.stringify(value)}`)),
      ),
    ),
    h(
      "nav.segmented",
      { "aria-label": "Ways to look at it" },
      tab("Conversation", viewHash(place, false), !asTokens),
      tab("Tokens", viewHash(place, true), asTokens),
      place.group.length > 1 &&
        tab(`Group of ${place.group.length}`, groupHash(run, file, row.number, choice(here().query)), false),
    ),
  );
}

function failure({ failure: found }) {
  return (
    found &&
    h(
      `p.failure.${found.cause === "policy" ? "policy" : "other"}`,
      { role: "note" },
      h("b", null, `Failure (${found.cause}) in `, plain(found.source)),
      h("span", null, plain(found.message)),
    )
  );
}

function talk(place, query) {
  const { detail } = place;
  const wanted = (query.get("q") ?? "").toLowerCase();
  const open = (text) => wanted !== "" && text.toLowerCase().includes(wanted);
  const toToken = detail.segments.length ? (token) => viewHash(place, true, token) : null;
  const messages = h("div.conversation", null, conversation(detail, { toToken, open }));
  const element = h("div.columns", null, h("div", null, messages), aside(place, messages));
  const tools = () => [...messages.querySelectorAll("details")];
  const foldAll = () => {
    const some = tools().some((one) => !one.open);
    for (const one of tools()) one.open = some;
  };
  const step = (by) => toMessage(messages, by);
  return {
    element,
    settled: () => {
      const match = highlight(messages, wanted);
      const at = query.get("at");
      if (at !== null) messages.querySelector(`[data-message="${CSS.escape(at)}"]`)?.scrollIntoView();
      else if (match) match.scrollIntoView({ block: "center" });
    },
    keys: {
      j: ["next message", () => step(1)],
      k: ["message before", () => step(-1)],
      f: ["unfold or fold all tools", foldAll],
    },
  };
}

function toMessage(messages, by) {
  const main = document.getElementById("main");
  const top = main.getBoundingClientRect().top;
  const all = [...messages.children];
  const first = all.findIndex((one) => one.getBoundingClientRect().top >= top - 4);
  const now = first < 0 ? all.length : first;
  const at = all[now] && all[now].getBoundingClientRect().top <= top + 12 ? now + by : by > 0 ? now : now - 1;
  all[Math.min(all.length - 1, Math.max(0, at))]?.scrollIntoView();
}

// Marks what was searched for, without touching the text; the first place is returned.
function highlight(element, wanted) {
  if (!wanted || !globalThis.Highlight) return null;
  const ranges = [];
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.data.toLowerCase();
    if (text.length !== walker.currentNode.data.length) continue; // some letters change their length with their case
    for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + wanted.length)) {
      const range = new Range();
      range.setStart(walker.currentNode, at);
      range.setEnd(walker.currentNode, at + wanted.length);
      ranges.push(range);
    }
  }
  CSS.highlights.set("found", new Highlight(...ranges));
  return ranges[0]?.startContainer.parentElement ?? null;
}
