// Where an episode's time went: a bar with a piece for every turn, the policy's part and the environment's.

import { h } from "./dom.js";
import { seconds } from "./format.js";

export function timing(turns, onturn) {
  const total = turns.reduce((sum, turn) => sum + turn.generate_seconds + turn.environment_seconds, 0);
  if (!total) return null;
  const wide = (part, whole) => ({ size: { width: whole ? `${(100 * part) / whole}%` : "0" } });
  const pieces = turns.map((turn, index) => {
    const spoken = `turn ${index + 1}: ${seconds(turn.generate_seconds)} to generate, ${seconds(turn.environment_seconds)} in the environment`;
    const whole = turn.generate_seconds + turn.environment_seconds;
    const parts = [
      h("i.generate", wide(turn.generate_seconds, whole)),
      h("i.environment", wide(turn.environment_seconds, whole)),
    ];
    return h(
      "button.piece",
      { type: "button", ...wide(whole, total), title: spoken, "aria-label": spoken, onclick: () => onturn(index) },
      parts,
    );
  });
  const sum = (name) => seconds(turns.reduce((all, turn) => all + turn[name], 0));
  return h(
    "div.timing",
    null,
    h("div.pieces", null, pieces),
    h(
      "ul.legend",
      null,
      h("li", null, h("i.swatch.generate"), "generating ", h("span.number", null, sum("generate_seconds"))),
      h("li", null, h("i.swatch.environment"), "environment ", h("span.number", null, sum("environment_seconds"))),
    ),
  );
}
