// The token view: every token as a box, coloured by what one chooses; all values of one beside it; the worst one by one.

import { button, codePoint, fill, h, say } from "./dom.js";
import { count, num } from "./format.js";
import { ribbon } from "./ribbon.js";
import { here, note } from "./route.js";
import { WAYS, available, facts, tokensOf, wayOf, worstFirst } from "./scales.js";

const CHUNK = 300; // tokens that the browser lays out together, and only when they come near
const LISTED = 12; // of the worst tokens

export function tokenView(detail, signal) {
  const tokens = tokensOf(detail);
  if (!tokens.length)
    return { element: h("p.empty", null, "There are no tokens here: a hosted model speaks by messages."), keys: {} };
  const view = new TokenView(tokens, detail.segments, signal);
  const ways = Object.fromEntries(
    WAYS.map((way, index) => [String(index + 1), [`colour by ${way.about}`, () => view.colour(way.name)]]),
  );
  return {
    element: view.element,
    settled: () => view.settled(),
    keys: {
      w: ["the worst token, then the next", () => view.worst(1)],
      W: ["the worse one before", () => view.worst(-1)],
      ArrowRight: ["next token", () => view.step(1)],
      ArrowLeft: ["token before", () => view.step(-1)],
      ...ways,
    },
  };
}

class TokenView {
  constructor(tokens, segments, signal) {
    Object.assign(this, { tokens, boxes: [], selected: null, rank: -1 });
    this.ways = h("div.segmented", { role: "group", "aria-label": "Colour the tokens by" });
    this.legend = h("div.scale");
    this.facts = h("div.facts", { role: "group", "aria-label": "The token" });
    this.list = h("ol.worst");
    this.text = h("div.tokentext", {
      tabindex: 0,
      role: "group",
      "aria-label": "Tokens",
      onpointerover: (event) => this.hover(event),
      onpointerleave: () => this.inspect(this.selected),
      onclick: (event) => this.click(event),
    });
    fill(
      this.text,
      segments.map((segment, part) => this.drawSegment(segment, part)),
    );
    this.ribbon = ribbon(tokens, (index) => this.select(index), signal);
    const side = h(
      "aside.inspector",
      null,
      this.facts,
      h(
        "section",
        null,
        h(
          "h3",
          null,
          (this.listTitle = h("span")),
          button("Next (w)", () => this.worst(1), { class: "next", title: "go to the worst token, then to the next" }),
        ),
        this.list,
      ),
    );
    this.element = h(
      "div.tokenview",
      null,
      h("div.dock", null, h("div.controls", null, this.ways, this.legend), this.ribbon.element),
      h("div.columns", null, this.text, side),
    );
    this.colour(here().query.get("by") ?? "origin");
    this.inspect(null);
  }

  settled() {
    const index = Number.parseInt(here().query.get("token") ?? "", 10);
    if (this.tokens[index]) this.select(index);
    this.ribbon.draw();
  }

  drawSegment(segment, part) {
    const own = this.tokens.filter((token) => token.part === part);
    const chunks = [];
    for (let first = 0; first < own.length; first += CHUNK)
      chunks.push(
        h(
          "div.chunk",
          null,
          own.slice(first, first + CHUNK).map((token) => this.box(token)),
        ),
      );
    const versions = [...new Set(segment.versions)];
    const head = [
      segment.origin,
      segment.turn !== null && `turn ${segment.turn + 1}`,
      count(segment.ids.length, "token"),
      versions.length > 0 && `weights ${versions.join(", ")}`,
    ];
    return h(
      `section.segment.of-${segment.origin}`,
      { "aria-label": head.filter(Boolean).join(", ") },
      h("header.dim", null, head.filter(Boolean).join(" · ")),
      chunks,
    );
  }

  box(token) {
    const box = h("span", { "data-index": token.index }, visible(token.text));
    this.boxes.push(box);
    return box;
  }

  colour(name) {
    const way = wayOf(name, this.tokens);
    this.way = way;
    this.tokens.forEach((token, index) => (this.boxes[index].className = `t ${way.classOf(token)}`));
    if (this.selected !== null) this.boxes[this.selected].classList.add("selected");
    fill(
      this.ways,
      WAYS.map((one, index) =>
        button(one.title, () => this.colour(one.name), {
          "aria-pressed": String(one.name === way.name),
          disabled: !available(one, this.tokens),
          title: `${one.about} (${index + 1})`,
        }),
      ),
    );
    fill(this.legend, h("span.dim", null, way.about), h("ul.legend", null, way.legend.map(legendItem)));
    note({ by: way.name === "origin" ? null : way.name });
    this.drawWorst();
    this.ribbon.colour(way);
  }

  drawWorst() {
    const { judge, order } = worstFirst(this.way, this.tokens);
    this.order = order;
    this.rank = -1;
    this.listTitle.textContent = order.length ? judge.worst : "";
    const value = (token) => num(token[judge.name]);
    fill(
      this.list,
      order.slice(0, LISTED).map((token, rank) =>
        h(
          "li",
          null,
          button(
            [h("code", null, visible(token.text)), h("span.number", null, value(token))],
            () => this.toRank(rank),
            { "data-rank": rank },
          ),
        ),
      ),
    );
    this.list.parentNode.hidden = !order.length;
  }

  worst(by) {
    if (this.order.length) this.toRank((this.rank + by + this.order.length) % this.order.length);
  }

  toRank(rank) {
    this.rank = rank;
    this.select(this.order[rank].index);
    for (const one of this.list.querySelectorAll("button"))
      one.setAttribute("aria-current", String(Number(one.dataset.rank) === rank));
    say(
      `number ${rank + 1} of the worst: ${facts(this.tokens[this.selected], this.tokens.length)
        .map((pair) => pair.join(" "))
        .join(", ")}`,
    );
  }

  step(by) {
    const next = this.selected === null ? 0 : this.selected + by;
    if (this.tokens[next]) this.select(next);
  }

  select(index) {
    if (this.selected !== null) this.boxes[this.selected].classList.remove("selected");
    this.selected = index;
    this.boxes[index].classList.add("selected");
    this.boxes[index].scrollIntoView({ block: "center" });
    this.inspect(index);
    this.ribbon.mark(index);
    note({ token: String(index) });
  }

  hover(event) {
    const box = event.target.closest("[data-index]");
    if (box) this.inspect(Number(box.dataset.index));
  }

  click(event) {
    const box = event.target.closest("[data-index]");
    if (box) this.select(Number(box.dataset.index));
  }

  inspect(index) {
    const token = this.tokens[index];
    if (!token)
      return fill(this.facts, h("p.dim", null, "Point at a token, or tap it, to see all that is known of it."));
    fill(
      this.facts,
      h("p.token", null, h("code", null, JSON.stringify(token.text))),
      h(
        "dl",
        null,
        facts(token, this.tokens.length).map(([name, value]) => [
          h("dt", null, name),
          h("dd", { "data-fact": name }, value),
        ]),
      ),
    );
  }
}

function legendItem(item) {
  if (typeof item[0] !== "string") return h("li", null, h(`i.swatch.t.${item[0][0]}`), item[1]);
  const [first, classes, last] = item;
  return h(
    "li.ramp",
    null,
    h("span.number", null, first),
    h(
      "span.strip",
      null,
      classes.map((one) => h(`i.t.${one}`)),
    ),
    h("span.number", null, last),
  );
}

// A token's text, where white space and what has no shape can be seen.
const SHAPELESS =
  /[ \n\t\r]|[\u0000-\u001f\u007f-\u00a0\u00ad\u061c\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
const SIGNS = { " ": "·", "\n": "↵\n", "\t": "⇥\t", "\r": "␍" };

export function visible(text) {
  const pieces = [];
  let last = 0;
  for (const { 0: character, index } of text.matchAll(SHAPELESS)) {
    if (index > last) pieces.push(text.slice(last, index));
    pieces.push(h("i.ws", null, SIGNS[character] ?? codePoint(character)));
    last = index + character.length;
  }
  pieces.push(text.slice(last));
  return pieces;
}
