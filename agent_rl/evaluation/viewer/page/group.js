// The episodes of one task side by side: what all were told once above, what each did in a column of its own.

import { about, ended, reward } from "./cells.js";
import { fill, h, plain } from "./dom.js";
import { count, num, words } from "./format.js";
import { conversation } from "./message.js";
import { choice, go, trajectoryHash } from "./route.js";
import { detailPath, filePath, load } from "./source.js";

export async function showGroup(main, { run, file, number, query }) {
  const [{ group, row }, { rows }] = await Promise.all([
    load(detailPath(run, file, number)),
    load(filePath(run, file)),
  ]);
  const listed = new Set(rows.map((one) => one.number));
  const details = await Promise.all(
    group.filter((one) => listed.has(one)).map((one) => load(detailPath(run, file, one))),
  );
  const shared = commonStart(details.map(({ messages }) => messages));
  const start = details[0].messages.slice(0, shared);
  const link = (one) => trajectoryHash(run, file, one, choice(query));
  const columns = details.map((detail) =>
    column(detail, shared, link(detail.row.number), detail.row.number === number),
  );
  fill(
    main,
    h(
      "div.page.group",
      null,
      h("h1", null, plain(row.task)),
      h("p.dim", null, sentence(details.map((detail) => detail.row))),
      start.length > 0 &&
        h(
          "details.card.shared",
          { open: true },
          h("summary", null, "What all were told"),
          conversation({ ...details[0], messages: start }),
        ),
      h("div.side", { tabindex: 0, role: "group", "aria-label": "Episodes side by side" }, columns),
    ),
  );
  const side = main.querySelector(".side");
  const move = (by) => side.scrollBy({ left: by * (side.firstChild.offsetWidth + 12), behavior: "smooth" });
  return {
    title: `${row.task} · group`,
    settled: () =>
      side.scrollTo({ left: (side.querySelector(".chosen")?.offsetLeft ?? 0) - side.firstChild.offsetLeft }),
    keys: {
      ArrowRight: ["next column", () => move(1)],
      ArrowLeft: ["column before", () => move(-1)],
      t: ["the tokens of the chosen one", () => go(withTokens(run, file, number, query))],
    },
  };
}

function withTokens(run, file, number, query) {
  const next = choice(query);
  next.set("view", "tokens");
  return trajectoryHash(run, file, number, next);
}

function sentence(rows) {
  const rewards = rows.map((row) => row.reward);
  const mean = rewards.reduce((sum, value) => sum + value, 0) / rewards.length;
  const deviation = Math.sqrt(rewards.reduce((sum, value) => sum + (value - mean) ** 2, 0) / rewards.length);
  return `${count(rows.length, "trajectory", "trajectories")} · mean reward ${num(mean)}, deviation ${num(deviation)}`;
}

// How many messages all begin with, before any of them speaks.
function commonStart(conversations) {
  const written = conversations.map((messages) =>
    messages.map((message) => JSON.stringify([message.role, message.text, message.images, message.calls])),
  );
  const shortest = Math.min(...written.map((messages) => messages.length));
  let length = 0;
  while (
    length < shortest &&
    conversations[0][length].turn === null &&
    written.every((messages) => messages[length] === written[0][length])
  )
    length++;
  return conversations.length > 1 ? length : 0;
}

function column(detail, from, href, chosen) {
  const { row } = detail;
  const head = h(
    "header",
    null,
    h("a", { href }, `sample ${row.sample}${row.part ? `, part ${row.part}` : ""}`),
    reward(row),
    h("span.dim", null, row.failure ? ended(row) : words(row.stop)),
    h("span.dim", null, about(row)),
  );
  return h(
    chosen ? "section.column.chosen" : "section.column",
    { "aria-label": `sample ${row.sample}` },
    head,
    conversation(detail, { from }),
  );
}
