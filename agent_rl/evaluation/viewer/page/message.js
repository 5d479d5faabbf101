// A conversation: who said what, the tools that were called and what they answered.

import { append, button, fill, h, picture, plain } from "./dom.js";
import { count, num, seconds, signed } from "./format.js";

const LONG = 4000; // characters of a text that are shown at once
const SHORT = 320; // characters of a tool's answer that is not folded

// The messages as articles; those of tools stand under the calls that they answer.
export function conversation(detail, { from = 0, toToken = null, open = () => false } = {}) {
  const spoken = [];
  for (let index = from; index < detail.messages.length; index++) {
    const message = detail.messages[index];
    const answers = message.calls.length ? following(detail.messages, index) : [];
    spoken.push(article(message, answers, detail, { index, toToken, open }));
    index += answers.length;
  }
  return spoken;
}

function following(messages, index) {
  const rest = messages.slice(index + 1);
  const end = rest.findIndex(({ role }) => role !== "tool");
  return end < 0 ? rest : rest.slice(0, end);
}

function article(message, answers, detail, options) {
  const own = message.turn !== null && message.role === "assistant"; // an answer belongs to a turn, but is not one
  const turn = own ? detail.turns[message.turn] : undefined;
  const answered = [...answers];
  const calls = message.calls.map((call) => toolCall(call, call.invalid ? null : takeAnswer(answered, call), options));
  const said =
    message.text || message.images.length || message.calls.length || message.reasoning
      ? null
      : h("p.dim", null, "(said nothing)");
  return h(
    `article.message.${roleClass(message.role)}`,
    {
      "data-message": options.index,
      "data-turn": own ? message.turn : null,
      "aria-label": `${message.role}${own ? `, turn ${message.turn + 1}` : ""}`,
    },
    heading(message, turn, { ...options, range: ownRange(detail.messages, options.index) }),
    message.reasoning &&
      h(
        "details.thought",
        { open: options.open(message.reasoning) },
        h("summary", null, `thought, ${count(message.reasoning.length, "character")}`),
        prose(message.reasoning),
      ),
    message.role === "tool" ? toolResult(message, options) : message.text && prose(message.text),
    message.role === "tool" || pictures(message),
    calls,
    answered.map((answer) => toolResult(answer, options)),
    said,
  );
}

function roleClass(role) {
  return ["system", "user", "assistant", "tool"].includes(role) ? role : "other";
}

function takeAnswer(answers, call) {
  const fits = answers.findIndex(({ name }) => !name || name === call.name);
  return fits < 0 ? null : answers.splice(fits, 1)[0];
}

// The range of its tokens, told once where several messages were rendered together.
function ownRange(messages, index) {
  const range = messages[index].tokens;
  return range && messages[index - 1]?.tokens?.[0] === range[0] ? null : range;
}

function heading(message, turn, { toToken, range }) {
  const time =
    turn && `${seconds(turn.generate_seconds)} to generate, ${seconds(turn.environment_seconds)} in the environment`;
  return h(
    "header",
    null,
    h(
      "b.role",
      null,
      plain(message.role),
      message.name && message.role !== "tool" ? [" ", h("code", null, plain(message.name))] : null,
    ),
    turn && h("span.dim", { title: time }, `turn ${message.turn + 1}`),
    turn &&
      turn.reward !== 0 &&
      h(`span.score.${turn.reward > 0 ? "good" : "bad"}`, null, `reward ${signed(turn.reward)}`),
    turn && turn.invalid_calls > 0 && h("span.bad", null, count(turn.invalid_calls, "invalid call")),
    toToken &&
      range &&
      h(
        "a.dim.totokens",
        { href: toToken(range[0]), title: "show these in the token view" },
        count(range[1] - range[0], "token"),
      ),
  );
}

// A call and its answer, folded to a line.
function toolCall(call, answer, { open }) {
  const answerText = answer?.text ?? "";
  const short = answerText.length <= SHORT && call.arguments.length <= SHORT && !call.invalid;
  const opened = short || call.invalid || open(call.arguments) || open(answerText);
  return h(
    `details.tool${call.invalid ? ".invalid" : ""}`,
    { open: opened, "data-tool": call.name },
    h(
      "summary",
      null,
      h("code", null, h("b", null, plain(call.name || "a call that failed"))),
      h("span.preview", null, plain(oneLine(call.arguments))),
      call.invalid && h("span.bad", null, "invalid"),
    ),
    argumentsOf(call),
    call.error && h("p.error.bad", null, plain(call.error)),
    answer && h("div.answer", null, prose(answer.text || "(an empty answer)"), pictures(answer)),
  );
}

function toolResult(message, { open }) {
  const opened = message.text.length <= SHORT || open(message.text);
  return h(
    "details.tool",
    { open: opened, "data-tool": message.name },
    h(
      "summary",
      null,
      h("code", null, h("b", null, plain(message.name ?? "tool"))),
      h("span.preview", null, plain(oneLine(message.text))),
    ),
    h("div.answer", null, prose(message.text || "(an empty answer)"), pictures(message)),
  );
}

function oneLine(text) {
  return text.slice(0, 160).replace(/\s+/g, " ");
}

// Arguments by name where they are an object, and else as they were written.
function argumentsOf(call) {
  const named = call.invalid ? null : parsed(call.arguments);
  if (!named) return h("div.arguments", null, prose(call.arguments || "(no arguments)"));
  const entries = Object.entries(named).map(([name, value]) => [
    h("dt", null, plain(name)),
    h("dd", null, prose(typeof value === "string" ? value : JSON.stringify(value, null, 1))),
  ]);
  return entries.length > 0 && h("dl.arguments", null, entries);
}

function parsed(text) {
  try {
    const value = JSON.parse(text);
    return value && typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

// A text as it is; a very long one is cut, and shown whole when asked for.
export function prose(text) {
  const block = h("div.text", null, plain(text.slice(0, LONG)));
  if (text.length > LONG) {
    const more = button(`… show all ${num(text.length)} characters`, () => fill(block, plain(text)), { class: "more" });
    append(block, [more]);
  }
  return block;
}

function pictures(message) {
  return message.images.length > 0 && h("div.pictures", null, message.images.map(picture));
}
