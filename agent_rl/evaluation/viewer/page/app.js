// What stands around every view: where one is, the keys, the theme, and following a run that goes on.

import { button, fill, h, named, plain } from "./dom.js";
import { showGroup } from "./group.js";
import { help, pressed } from "./keys.js";
import { choice, fileHash, go, here, hash, runHash } from "./route.js";
import { showRun } from "./run.js";
import { showRuns } from "./runs.js";
import { embedded, forget, load, runPath } from "./source.js";
import { showFile } from "./table.js";
import { startTheme, themeButton } from "./theme.js";
import { showTrajectory } from "./trajectory.js";

const EVERY = 2000; // milliseconds between two looks at a run that goes on

const main = document.getElementById("main");
const bar = document.getElementById("bar");
const places = new Map(); // how far each place was scrolled
let current = { place: null, view: { keys: {} }, run: null, left: new AbortController() };

function viewOf({ run, file, group, number }) {
  if (!run) return showRuns;
  if (!file) return showRun;
  if (number === null) return showFile;
  return group ? showGroup : showTrajectory;
}

async function show() {
  const route = here();
  current.left.abort();
  places.set(current.place, main.scrollTop);
  const left = new AbortController();
  const place = `${route.path} ${route.query.get("view")}`;
  current = { place, route, view: { keys: {} }, run: null, left };
  const stage = h("div.stage");
  try {
    if (await onlyOneRun(route)) return;
    const run = route.run ? await load(runPath(route.run)) : null;
    const view = await viewOf(route)(stage, route, left.signal);
    if (left.signal.aborted) return;
    Object.assign(current, { run, view });
  } catch (error) {
    if (left.signal.aborted) return;
    fill(stage, h("p.empty", { role: "alert" }, plain(String(error.message ?? error))));
  }
  drawBar();
  main.replaceChildren(stage);
  current.view.shown?.();
  main.scrollTop = places.get(place) ?? 0;
  if (!bar.contains(document.activeElement)) main.focus({ preventScroll: true });
  current.view.settled?.();
}

// A folder that is one run is opened at once.
async function onlyOneRun(route) {
  if (route.run) return false;
  const { runs } = await load("/api/runs");
  if (runs.length !== 1) return false;
  location.replace(runHash(runs[0].id));
  return true;
}

function drawBar() {
  const { route, run, view } = current;
  const crumbs = [["Runs", "#/"]];
  if (run) crumbs.push([run.name, runHash(route.run)]);
  if (run && route.file) crumbs.push([titleOf(run, route.file), fileHash(route.run, route.file, choice(route.query))]);
  if (route.number !== null) crumbs.push([view.title, location.hash]);
  const items = crumbs.map(([text, href], index) =>
    h("li", null, h("a", { href, "aria-current": index === crumbs.length - 1 && "page" }, plain(text))),
  );
  const place = crumbs.slice(1).map(([text]) => named(text));
  document.title = [...place.reverse(), "agent_rl"].join(" · ");
  const state = run && h("span.live", null, h(`i.state.${run.state}`), h("span", null, run.state));
  fill(
    bar,
    h("nav", { "aria-label": "Where you are" }, h("ol", null, items)),
    run && route.file && route.number === null && steps(),
    embedded ? h("span.live", null, "exported") : state,
    themeButton(),
    button("?", () => help(current.view, KEYS), { class: "quiet", title: "Keys (?)", "aria-label": "Keys" }),
  );
}

function titleOf(run, name) {
  return run.files.find((file) => file.name === name)?.title ?? name;
}

function steps() {
  const [before, after] = [neighbour(-1), neighbour(1)];
  return h(
    "span.steps",
    null,
    button("‹", () => toFile(-1), {
      class: "quiet",
      disabled: !before,
      title: "the file before ([)",
      "aria-label": "The file before",
    }),
    button("›", () => toFile(1), {
      class: "quiet",
      disabled: !after,
      title: "the next file (])",
      "aria-label": "The next file",
    }),
  );
}

// The file of the same kind before or after this one.
function neighbour(by) {
  const { run, route } = current;
  const file = run?.files.find(({ name }) => name === route.file);
  const alike = file ? run.files.filter(({ kind }) => kind === file.kind) : [];
  return alike[alike.indexOf(file) + by];
}

function toFile(by) {
  const file = neighbour(by);
  if (file) go(fileHash(current.route.run, file.name, choice(current.route.query)));
}

// Out of a trajectory to its table, from there to its run, from there to the runs.
function up() {
  const { run, file, number, query } = current.route;
  if (number !== null) go(fileHash(run, file, choice(query)));
  else go(file ? runHash(run) : hash([]));
}

const KEYS = {
  Escape: ["out of here, one level up", up],
  "[": ["the file (step) before", () => toFile(-1)],
  "]": ["the next file (step)", () => toFile(1)],
  "?": ["these keys", () => help(current.view, KEYS)],
};

// Asks for what is new, and hands it to the view, which keeps its place.
async function follow() {
  const { run, route, view, left } = current;
  try {
    if (document.hidden) return;
    if (view.poll) await view.poll();
    if (run?.state !== "running") return;
    const next = await load(runPath(route.run), true);
    if (left.signal.aborted || next.version === run.version) return;
    current.run = next;
    forget(runPath(route.run));
    drawBar();
    await view.refresh?.(next);
  } catch {
    bar.querySelector(".live")?.replaceChildren(h("i.state.stopped"), "no answer");
  } finally {
    setTimeout(follow, EVERY);
  }
}

startTheme();
addEventListener("hashchange", show);
addEventListener("keydown", (event) => pressed(event, current.view, KEYS));
show();
if (!embedded) setTimeout(follow, EVERY);
