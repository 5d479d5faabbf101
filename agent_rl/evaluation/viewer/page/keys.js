// The keys: every view names its own, and ? tells them.

import { button, h } from "./dom.js";

const ARROWS = { ArrowDown: "j", ArrowUp: "k" };
const SHOWN = { ArrowLeft: "←", ArrowRight: "→", Escape: "Esc" };

export function pressed(event, view, general) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.closest("input, select, textarea")) return leaveField(event);
  if (event.key === "Enter" && event.target.closest("a, button, summary")) return;
  const name = view.arrows ? (ARROWS[event.key] ?? event.key) : event.key;
  const [, act] = view.keys[name] ?? general[name] ?? [];
  if (!act) return;
  event.preventDefault();
  act();
}

function leaveField(event) {
  if (event.key !== "Escape") return;
  event.target.blur();
  document.getElementById("main").focus({ preventScroll: true });
}

export function help(view, general) {
  const rows = Object.entries({ ...view.keys, ...general }).map(([key, [does]]) =>
    h(
      "tr",
      null,
      h(
        "td",
        null,
        h("kbd", null, SHOWN[key] ?? key),
        view.arrows && key === "j" && h("kbd", null, "↓"),
        view.arrows && key === "k" && h("kbd", null, "↑"),
      ),
      h("td", null, does),
    ),
  );
  const dialog = h(
    "dialog",
    {
      "aria-label": "Keys",
      onclose: () => dialog.remove(),
      onclick: (event) => event.target === dialog && dialog.close(),
    },
    h("h2", null, "Keys"),
    h("table", null, h("tbody", null, rows)),
    button("Close", () => dialog.close()),
  );
  document.body.append(dialog);
  dialog.showModal();
}
