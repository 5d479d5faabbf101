// Where the data comes from: what an exported file holds in itself, else the server that served this page.

const holder = document.getElementById("embedded");
export const embedded = holder ? JSON.parse(holder.textContent) : null;

const KEPT = 24; // answers that are kept, so that going back and forth asks nobody
const answers = new Map();

// What was answered below a path may have changed.
export function forget(path) {
  for (const known of answers.keys()) if (known.startsWith(`${path}/`)) answers.delete(known);
}

export class Missing extends Error {}

// The answer for a path. `fresh` asks again what may have changed.
export function load(path, fresh = false) {
  if (embedded) {
    return path in embedded
      ? Promise.resolve(embedded[path])
      : Promise.reject(new Missing("This is not in the exported file."));
  }
  let answer = fresh ? undefined : answers.get(path);
  answers.delete(path); // and set again: the order is that of use
  if (!answer) {
    answer = ask(path);
    answer.catch(() => answers.delete(path));
  }
  answers.set(path, answer);
  if (answers.size > KEPT) answers.delete(answers.keys().next().value);
  return answer;
}

async function ask(path) {
  let response;
  try {
    response = await fetch(path, { headers: { Accept: "application/json" } });
  } catch {
    throw new Missing("The viewer does not answer: is `agent-rl view` still running?");
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Missing(body.error ?? `The viewer answered ${response.status}.`);
  return body;
}

export const runPath = (id) => `/api/runs/${encodeURIComponent(id)}`;
export const filePath = (id, name) => `${runPath(id)}/files/${name.split("/").map(encodeURIComponent).join("/")}`;
export const detailPath = (id, name, number) => `${filePath(id, name)}/${number}`;

// The numbers of the trajectories in whose messages the text occurs.
export async function find(id, name, text) {
  if (!embedded) return (await load(`${filePath(id, name)}/search?q=${encodeURIComponent(text)}`)).numbers;
  const wanted = text.toLowerCase();
  const { rows } = await load(filePath(id, name));
  return rows.map((row) => row.number).filter((number) => says(embedded[detailPath(id, name, number)], wanted));
}

function says(detail, wanted) {
  const texts = (message) => [
    message.text,
    message.reasoning ?? "",
    ...message.calls.flatMap((call) => [call.name, call.arguments]),
  ];
  return (
    Boolean(detail) &&
    detail.messages.some((message) => texts(message).some((text) => text.toLowerCase().includes(wanted)))
  );
}
