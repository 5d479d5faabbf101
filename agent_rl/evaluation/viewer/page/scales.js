// What the tokens can be coloured by. Each way gives every token a class, says what the classes mean, and which are worst.

import { num, signed } from "./format.js";

const STEPS = 8; // classes of a scale that goes one way; one that goes both ways has half as many each side

// All tokens of a trajectory in order, each with all that is known of it.
export function tokensOf({ segments, learned }) {
  const tokens = [];
  let sampled = 0;
  segments.forEach((segment, part) => {
    const action = segment.origin === "action";
    segment.texts.forEach((text, index) => {
      const token = {
        index: tokens.length,
        part,
        text,
        id: segment.ids[index],
        origin: segment.origin,
        turn: segment.turn,
        mask: action,
      };
      const known = action
        ? {
            logprob: segment.logprobs[index],
            version: segment.versions[index],
            trainer: learned?.logprobs[sampled],
            advantage: learned?.advantages[sampled++],
          }
        : {};
      const values = Object.fromEntries(
        ["logprob", "version", "trainer", "advantage"].map((name) => [name, known[name] ?? null]),
      );
      tokens.push({
        ...token,
        ...values,
        gap: values.trainer === null || values.logprob === null ? null : values.trainer - values.logprob,
      });
    });
  });
  return tokens;
}

const ORIGINS = {
  prompt: "prompt",
  action: "action: sampled by the policy",
  observation: "observation: from tools and the environment",
};

function origin() {
  return { classOf: (token) => token.origin, legend: Object.entries(ORIGINS).map(([name, label]) => [[name], label]) };
}

function mask(tokens) {
  const learned = known(tokens, "advantage").length + known(tokens, "trainer").length > 0;
  const idle = (token) => learned && token.mask && token.trainer === null;
  const some = tokens.some(idle);
  return {
    classOf: (token) => (!token.mask ? "nothing" : idle(token) ? "idle" : "action"),
    legend: [
      [["action"], "in the loss"],
      ...(some ? [[["idle"], "sampled, but not computed"]] : []),
      [["nothing"], "not in the loss"],
    ],
  };
}

// From 0 (certain) down: the less likely, the stronger.
function low(name) {
  return (tokens) => {
    const depth = round(
      quantile(
        known(tokens, name).map((value) => -value),
        0.99,
      ),
    );
    const bin = (value) => Math.min(STEPS, Math.max(0, Math.ceil((-value / depth) * STEPS - 0.5)));
    return {
      classOf: (token) => (token[name] === null ? "nothing" : `q${bin(token[name])}`),
      legend: [["0", range(STEPS + 1).map((step) => `q${step}`), `−${num(depth)} and below`]],
      badness: (token) => (token[name] === null ? null : -token[name]),
    };
  };
}

// Around 0, with a colour for either side.
function around(name) {
  return (tokens) => {
    const sizes = known(tokens, name).map(Math.abs);
    const reach = Math.max(quantile(sizes, 0.99), quantile(sizes, 1) / STEPS) || 1e-6; // beside a gap rounding is pale
    const half = STEPS / 2;
    const bin = (value) => Math.max(-half, Math.min(half, Math.round((value / reach) * half)));
    return {
      classOf: (token) => (token[name] === null ? "nothing" : `d${bin(token[name]) + half}`),
      legend: [[signed(-reach), range(STEPS + 1).map((step) => `d${step}`), signed(reach)]],
      badness: (token) => (token[name] === null ? null : Math.abs(token[name])),
    };
  };
}

function version(tokens) {
  const versions = [...new Set(known(tokens, "version"))].sort((a, b) => a - b);
  const classOf = (value) => `w${versions.indexOf(value) % 6}`;
  return {
    classOf: (token) => (token.version === null ? "nothing" : classOf(token.version)),
    legend: versions.map((value) => [[classOf(value)], `version ${value}`]),
  };
}

export const WAYS = [
  { name: "origin", title: "Origin", about: "who wrote the token", scale: origin },
  { name: "mask", title: "Mask", about: "whether the token is in the loss", scale: mask },
  {
    name: "logprob",
    title: "Engine",
    about: "log-probability under the engine that sampled it, nats",
    scale: low("logprob"),
    worst: "least likely under the engine",
  },
  {
    name: "trainer",
    title: "Trainer",
    about: "log-probability under the trainer before its step, nats",
    scale: low("trainer"),
    worst: "least likely under the trainer",
  },
  {
    name: "gap",
    title: "Gap",
    about: "trainer's minus engine's log-probability, nats",
    scale: around("gap"),
    worst: "largest gap",
  },
  {
    name: "advantage",
    title: "Advantage",
    about: "the advantage it was learned with",
    scale: around("advantage"),
    worst: "strongest advantage",
  },
  { name: "version", title: "Version", about: "the version of the weights that sampled it", scale: version },
];

export function wayOf(name, tokens) {
  const way = WAYS.find((one) => one.name === name && available(one, tokens)) ?? WAYS[0];
  return { ...way, ...way.scale(tokens) };
}

// A trajectory of a run that kept nothing of its training has no gap to show.
export function available(way, tokens) {
  return way.name === "origin" || way.name === "mask" || tokens.some((token) => token[way.name] !== null);
}

// The tokens from the worst on. A way that knows no worse asks for the gap, or else what the engine held for unlikely.
export function worstFirst(way, tokens) {
  const judge = way.badness ? way : wayOf(known(tokens, "gap").length ? "gap" : "logprob", tokens);
  if (!judge.badness) return { judge, order: [] };
  return {
    judge,
    order: tokens
      .filter((token) => judge.badness(token) !== null)
      .sort((a, b) => judge.badness(b) - judge.badness(a) || a.index - b.index),
  };
}

function known(tokens, name) {
  return tokens.map((token) => token[name]).filter((value) => value !== null);
}

function quantile(values, share) {
  return values.sort((a, b) => a - b)[Math.ceil(share * (values.length - 1))] ?? 0;
}

// The next of 0.1, 0.2, 0.5, 1, 2, 5, 10 …
function round(value) {
  const sizes = [1, 2, 5, 10].map((size) => size * 10 ** Math.floor(Math.log10(Math.max(0.1, value))));
  return sizes.find((size) => size >= value * (1 - 1e-9));
}

function range(length) {
  return Array.from({ length }, (_, index) => index);
}

// All that is known of a token, as names and values.
export function facts(token, total) {
  const probability = (logprob) => (logprob === null ? "–" : `${num(logprob, 4)}  (${num(100 * Math.exp(logprob))} %)`);
  const gap = token.gap === null ? "–" : `${signed(token.gap)}  (ratio ${num(Math.exp(token.gap), 4)})`;
  return [
    ["token", `${token.index + 1} of ${total.toLocaleString("en")}`],
    ["id", String(token.id)],
    ["origin", token.turn === null ? token.origin : `${token.origin}, turn ${token.turn + 1}`],
    ["in the loss", token.mask ? "yes" : "no"],
    ["engine", probability(token.logprob)],
    ["trainer", probability(token.trainer)],
    ["gap", gap],
    ["advantage", token.advantage === null ? "–" : signed(token.advantage)],
    ["version", token.version === null ? "–" : String(token.version)],
  ];
}
