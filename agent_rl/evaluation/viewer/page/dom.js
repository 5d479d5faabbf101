// Building the page. Everything that is shown passes through here, and text only ever becomes text nodes.

const SVG = "http://www.w3.org/2000/svg";
const PICTURE = /^data:image\/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*$/;

// h("div.row.wide", {title: "…", onclick: …}, "text", node, [more], null) makes an element.
export function h(kind, properties, ...children) {
  const [tag, ...classes] = kind.split(".");
  return furnish(document.createElement(tag), classes, properties, children);
}

// The same for SVG.
export function s(kind, properties, ...children) {
  const [tag, ...classes] = kind.split(".");
  return furnish(document.createElementNS(SVG, tag), classes, properties, children);
}

function furnish(element, classes, properties, children) {
  if (classes.length) element.setAttribute("class", classes.join(" "));
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else if (name === "size")
      for (const [side, length] of Object.entries(value)) element.style.setProperty(side, length);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

export function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
}

export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
  return element;
}

// Characters that nobody sees, or that reorder what stands around them: controls, bidi marks, half surrogate pairs.
const UNSEEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

// Text as it is, where the characters that nobody sees are named.
export function plain(text) {
  const pieces = [];
  let last = 0;
  for (const found of text.matchAll(UNSEEN)) {
    if (found.index > last) pieces.push(text.slice(last, found.index));
    pieces.push(h("span.unseeable", { title: "a character that is not seen" }, codePoint(found[0])));
    last = found.index + found[0].length;
  }
  pieces.push(text.slice(last));
  return pieces;
}

// The same where only a string will do.
export function named(text) {
  return text.replace(UNSEEN, codePoint);
}

export function codePoint(character) {
  return `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
}

// An image, if it is one that the message itself holds; anything else is named, never fetched.
export function picture(url) {
  if (!PICTURE.test(url)) return h("code.dim", null, `[image not shown: ${url.slice(0, 80)}]`);
  return h("img", { src: url, alt: "image in the message", loading: "lazy" });
}

export function button(label, onclick, properties) {
  return h("button", { type: "button", onclick, ...properties }, label);
}

// Tells a screen reader what the eye sees by itself.
export function say(text) {
  document.getElementById("spoken").textContent = text;
}
