// Where one is: everything that can be linked to stands in the URL behind the #.
//   #/                            the runs
//   #/ID                          a run
//   #/ID/FILE?stop=…&sort=reward  the trajectories of a file, filtered and sorted
//   #/ID/FILE/12?…&view=tokens    one of them, with the filter so that next and previous know the way
//   #/ID/FILE/group/12?…          the episodes of its task

export function here() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [run, file, third, fourth] = path.split("/").filter(Boolean).map(decode);
  const group = third === "group";
  const number = group ? fourth : third;
  return {
    run,
    file,
    group,
    number: number === undefined ? null : Number(number),
    query: new URLSearchParams(query),
    path,
  };
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export function hash(parts, query) {
  const written = query ? query.toString() : "";
  return `#/${parts.map(encodeURIComponent).join("/")}${written ? `?${written}` : ""}`;
}

export const runHash = (id) => hash([id]);
export const fileHash = (id, name, query) => hash([id, name], query);
export const trajectoryHash = (id, name, number, query) => hash([id, name, number], query);
export const groupHash = (id, name, number, query) => hash([id, name, "group", number], query);

export function go(target) {
  location.hash = target;
}

// Changes what the URL says of this place without a step in the history.
export function note(changes) {
  const { path, query } = here();
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "") query.delete(name);
    else query.set(name, value);
  }
  const written = query.toString();
  history.replaceState(null, "", `#/${path}${written ? `?${written}` : ""}`);
  return query;
}

// The part of a query that chooses and orders rows, without what belongs to a single trajectory.
export function choice(query) {
  const kept = new URLSearchParams(query);
  for (const name of ["view", "by", "token", "at"]) kept.delete(name);
  return kept;
}

// The same for another trajectory that is to be looked at in the same way.
export function sameView(query) {
  const next = choice(query);
  for (const name of ["view", "by"]) if (query.get(name)) next.set(name, query.get(name));
  return next;
}
