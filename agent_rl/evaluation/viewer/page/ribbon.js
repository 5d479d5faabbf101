// The whole sequence as a ribbon: where the turns lie, and where it is strong in the colour that was chosen.

import { h } from "./dom.js";

const HEIGHT = 26; // pixels; the upper third shows the origin
const UPPER = 8;

export function ribbon(tokens, select, signal) {
  const canvas = h("canvas", {
    height: HEIGHT,
    role: "img",
    "aria-label": "The whole sequence; a click goes to a place in it",
    onclick: (event) => select(at(event)),
  });
  const marker = h("i.marker", { hidden: true });
  const element = h("div.ribbon", null, canvas, marker);
  let way = null;
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return Math.min(
      tokens.length - 1,
      Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * tokens.length)),
    );
  };
  const draw = () => element.isConnected && way && paint(canvas, tokens, way);
  new ResizeObserver(draw).observe(element);
  document.addEventListener("themechange", draw, { signal });
  return {
    element,
    draw,
    colour: (next) => ((way = next), draw()),
    mark: (index) => {
      marker.hidden = false;
      marker.style.left = `${(100 * (index + 0.5)) / tokens.length}%`;
    },
  };
}

function paint(canvas, tokens, way) {
  const width = (canvas.width = Math.max(1, canvas.clientWidth));
  const colours = palette(canvas.parentNode);
  const pen = canvas.getContext("2d");
  for (let x = 0; x < width; x++) {
    const first = Math.floor((x * tokens.length) / width);
    const last = Math.max(first + 1, Math.floor(((x + 1) * tokens.length) / width));
    const own = tokens.slice(first, last);
    pen.fillStyle = colours(own[0].origin);
    pen.fillRect(x, 0, 1, UPPER);
    pen.fillStyle = colours(way.classOf(strongest(own, way)));
    pen.fillRect(x, UPPER + 2, 1, HEIGHT - UPPER - 2);
  }
}

// Of the tokens that share a pixel the worst is shown, so that none hides.
function strongest(tokens, { badness }) {
  if (!badness) return tokens[0];
  return tokens.reduce((worst, token) => ((badness(token) ?? -1) > (badness(worst) ?? -1) ? token : worst));
}

// The colours that the style gives to the classes, as the canvas needs them.
function palette(parent) {
  const known = new Map();
  return (name) => {
    if (!known.has(name)) {
      const probe = h(`i.t.${name}`);
      parent.append(probe);
      known.set(name, getComputedStyle(probe).backgroundColor);
      probe.remove();
    }
    return known.get(name);
  };
}
