// The table of a file: only the rows that can be seen are drawn, so that 10,000 scroll like ten.

import { cells } from "./cells.js";
import { append, button, fill, h, named, say } from "./dom.js";
import { num, words } from "./format.js";
import { choice, go, groupHash, here, note, trajectoryHash } from "./route.js";
import { COLUMNS, choose, facets, summary } from "./rows.js";
import { filePath, find, load } from "./source.js";

const NARROW = matchMedia("(max-width: 44rem)");
const BEYOND = 12; // rows drawn above and below what can be seen
export const selected = new Map(); // the number that was looked at last, by the path of its file

export async function showFile(stage, { run, file }, signal) {
  const table = new Table(stage, run, file, signal);
  await table.fetch();
  return {
    title: file,
    arrows: true,
    shown: () => table.draw(),
    settled: () => table.reveal(),
    keys: {
      j: ["next row", () => table.move(1)],
      k: ["row before", () => table.move(-1)],
      Enter: ["open the row", () => table.open()],
      g: ["its group, side by side", () => table.open(true)],
      "/": ["search in all messages", () => table.search.focus()],
      x: ["take all filters away", () => table.clear()],
    },
    refresh: () => table.fetch(true),
  };
}

class Table {
  constructor(stage, run, file, signal) {
    Object.assign(this, {
      main: document.getElementById("main"),
      run,
      file,
      signal,
      rows: [],
      shown: [],
      found: null,
      asked: 0,
    });
    this.key = filePath(run, file);
    this.search = h("input.search", {
      type: "search",
      placeholder: "Search all messages",
      "aria-label": "Search all messages",
      oninput: () => this.later(),
    });
    this.search.value = here().query.get("q") ?? "";
    this.filters = h("div.filters", { role: "group", "aria-label": "Filters" });
    this.line = h("p.dim.summary", { "aria-live": "polite" });
    this.head = h("div.row.head", { role: "row" });
    this.body = h("div.rows", { role: "rowgroup", onclick: (event) => this.click(event) });
    this.grid = h("div.table", { role: "grid", tabindex: 0, "aria-label": "Trajectories" }, this.head, this.body);
    fill(stage, h("div.tools", null, this.search, this.filters), this.line, this.grid);
    const draw = () => this.draw();
    this.main.addEventListener("scroll", draw, { passive: true, signal });
    addEventListener("resize", draw, { signal });
    NARROW.addEventListener("change", draw, { signal });
  }

  async fetch(fresh = false) {
    const { rows } = await load(this.key, fresh);
    if (this.signal.aborted || (fresh && rows.length === this.rows.length)) return;
    this.rows = rows;
    this.facets = facets(rows);
    await this.look();
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (this.signal.aborted) return;
      note({ q: this.search.value.trim() });
      this.look(true);
    }, 180);
  }

  // Applies what the URL asks for; a text search is answered by the server.
  async look(fromTop = false) {
    const { query } = here();
    const text = query.get("q");
    const turn = ++this.asked;
    const found = text ? new Set(await find(this.run, this.file, text)) : null;
    if (turn !== this.asked || this.signal.aborted) return; // somebody typed on, or went away
    this.found = found;
    this.shown = choose(this.rows, query, found);
    this.place = new Map(this.shown.map((row, index) => [row.number, index]));
    this.drawHead(query);
    this.drawFilters(query);
    fill(this.line, summary(this.shown, this.rows.length));
    if (fromTop) this.main.scrollTop = Math.min(this.main.scrollTop, this.grid.offsetTop);
    this.forget();
    this.draw();
  }

  set(changes) {
    note(changes);
    this.look(true);
  }

  clear() {
    this.search.value = "";
    this.set(Object.fromEntries(["q", ...this.facets.map(({ name }) => name)].map((name) => [name, null])));
  }

  drawHead(query) {
    const by = query.get("sort");
    const down = query.get("down") === "1";
    const cells = COLUMNS.map((column) => {
      const sort = column.name === by ? (down ? "descending" : "ascending") : "none";
      const turn = () => this.set(nextSort(column, by, down));
      return h(
        `div.cell.${column.name}${column.number ? ".number" : ""}`,
        { role: "columnheader", "aria-sort": sort },
        button(column.title, turn, { title: `sort by ${column.title.toLowerCase()}` }),
      );
    });
    const focused = this.head.contains(document.activeElement)
      ? [...this.head.children].indexOf(document.activeElement.parentNode)
      : -1;
    fill(this.head, cells);
    if (focused >= 0) this.head.children[focused].firstChild.focus();
    this.grid.setAttribute("aria-rowcount", this.shown.length + 1);
  }

  drawFilters(query) {
    const focused = document.activeElement?.name;
    const chosen = this.facets.filter(({ name }) => query.get(name) !== null);
    fill(
      this.filters,
      this.facets.map((facet) => this.drawFacet(facet, query.get(facet.name))),
      chosen.length > 0 && button("Clear", () => this.clear(), { class: "quiet" }),
    );
    if (focused) this.filters.querySelector(`select[name="${CSS.escape(focused)}"]`)?.focus();
  }

  drawFacet({ name, title, values, label = String }, value) {
    const options = [...values].map(([one, times]) =>
      h("option", { value: one }, `${named(label(one))} (${times.toLocaleString("en")})`),
    );
    const select = h(
      "select",
      { name, onchange: () => this.set({ [name]: select.value }), "aria-label": title },
      h("option", { value: "" }, `${named(title)}: all`),
      options,
    );
    select.value = value ?? "";
    return h(value === null ? "span.facet" : "span.facet.chosen", null, select);
  }

  // Draws the rows in sight, and keeps those that are drawn already.
  draw() {
    const height = this.height();
    this.body.style.height = `${this.shown.length * height}px`;
    const above = this.main.scrollTop - this.body.offsetTop;
    const first = Math.max(0, Math.floor(above / height) - BEYOND);
    const last = Math.min(this.shown.length, Math.ceil((above + this.main.clientHeight) / height) + BEYOND);
    this.drawn ??= new Map();
    for (const [index, row] of this.drawn) {
      if (index >= first && index < last) continue;
      row.remove();
      this.drawn.delete(index);
    }
    for (let index = first; index < last; index++) {
      const row = this.drawn.get(index) ?? this.drawRow(index);
      row.style.top = `${index * height}px`;
    }
    if (!this.shown.length) fill(this.body, h("p.empty", null, "No trajectory is like that."));
  }

  forget() {
    this.drawn = new Map();
    this.body.replaceChildren();
  }

  height() {
    return NARROW.matches ? 76 : 33;
  }

  drawRow(index) {
    const row = this.shown[index];
    const chosen = row.number === selected.get(this.key);
    const begins = this.shown[index - 1]?.task !== row.task; // the first of its group
    const element = h(
      `div.row${chosen ? ".selected" : ""}${begins ? ".begins" : ""}`,
      {
        role: "row",
        id: `row-${row.number}`,
        "aria-rowindex": index + 2,
        "aria-selected": chosen,
        "data-number": row.number,
      },
      cells(row, this.link(row)),
    );
    if (chosen) this.grid.setAttribute("aria-activedescendant", element.id);
    this.drawn.set(index, element);
    append(this.body, [element]);
    return element;
  }

  link(row) {
    return trajectoryHash(this.run, this.file, row.number, choice(here().query));
  }

  click(event) {
    const number = event.target.closest("[data-number]")?.dataset.number;
    if (number === undefined) return;
    this.select(this.place.get(Number(number)));
    if (!event.target.closest("a") && !getSelection().toString()) this.open();
  }

  move(by) {
    const now = this.place.get(selected.get(this.key));
    const first = Math.max(0, Math.ceil((this.main.scrollTop - this.body.offsetTop) / this.height()));
    this.select(now === undefined ? first : Math.min(this.shown.length - 1, Math.max(0, now + by)));
  }

  // Where one comes back from a trajectory, its row is in sight.
  reveal() {
    const index = this.place.get(selected.get(this.key));
    if (index !== undefined) this.select(index);
  }

  select(index) {
    const row = this.shown[index];
    if (!row) return;
    selected.set(this.key, row.number);
    const height = this.height();
    const top = this.body.offsetTop + index * height;
    const covered = this.head.offsetHeight;
    if (top - covered < this.main.scrollTop) this.main.scrollTop = top - covered;
    if (top + height > this.main.scrollTop + this.main.clientHeight)
      this.main.scrollTop = top + height - this.main.clientHeight;
    this.forget();
    this.draw();
    say(`${row.task}, reward ${num(row.reward)}, ${words(row.stop)}`);
  }

  open(group = false) {
    const row = this.shown[this.place.get(selected.get(this.key))];
    if (row) go(group ? groupHash(this.run, this.file, row.number, choice(here().query)) : this.link(row));
  }
}

function nextSort(column, by, down) {
  const large = Boolean(column.number) && column.name !== "number"; // numbers are looked at from the largest
  if (column.name !== by) return { sort: column.name, down: large ? "1" : null };
  return down === large ? { sort: by, down: large ? null : "1" } : { sort: null, down: null };
}
