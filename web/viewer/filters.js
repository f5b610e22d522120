/* The panel on the left, and the search. */
function choice(parent, text, colour, count, on, changed) {
  const label = element("label", "choice"),
    box = element("input");
  box.type = "checkbox";
  box.checked = on;
  box.addEventListener("change", () => (changed(box.checked), filtersChanged()));
  label.append(box);
  if (colour !== null) label.append(Object.assign(element("i"), { style: `background:${colour}` }));
  label.append(element("span", "", text));
  if (count !== null) label.append(element("b", "", count.toLocaleString("en")));
  parent.append(label);
  return box;
}

function makeMemberChoices() {
  const parent = document.getElementById("members"),
    counts = trace.lines.map(() => 0),
    groups = new Map();
  for (let i = 0; i < trace.count; i++) if (trace.line[i] >= 0 && !isMark(i)) counts[trace.line[i]]++;
  trace.lines.forEach((line, l) => groups.set(line[1], [...(groups.get(line[1]) || []), l]));
  for (const [group, lines] of groups) {
    const boxes = [];
    if (severalGroups)
      choice(parent, "group " + group, null, lines.length, true, (on) => {
        for (const l of lines) view.lineOn[l] = on;
        for (const box of boxes) box.checked = on;
      });
    for (const l of lines)
      boxes.push(choice(parent, lineName(l), null, counts[l], true, (on) => (view.lineOn[l] = on)));
  }
}

function makeChoices() {
  makeMemberChoices();
  const kinds = [...messageKinds.values()].sort((a, b) => b.count - a.count);
  for (const kind of kinds)
    choice(
      document.getElementById("messages"),
      string(kind.name),
      `var(--m${kind.colour})`,
      kind.count,
      true,
      (on) => (kind.on = on),
    );
  const shown = document.getElementById("shown");
  choice(shown, "clients", null, null, view.clients, (on) => (view.clients = on));
  choice(shown, "faults and notes", null, null, view.faults, (on) => (view.faults = on));
  choice(shown, "quiet steps (q)", null, null, view.quiet, (on) => (view.quiet = on)).id = "quiet";
  for (const [state, colour] of states.colours) {
    const row = element("div", "choice");
    row.append(
      Object.assign(element("i"), { style: `background:var(--m${colour});opacity:.5` }),
      element("span", "", state),
    );
    shown.append(row);
  }
  for (const button of document.querySelectorAll("[data-all]"))
    button.addEventListener("click", () => {
      const boxes = [...document.querySelectorAll(`#${button.dataset.all} input`)],
        on = !boxes.every((box) => box.checked);
      for (const box of boxes) if (box.checked !== on) box.click();
    });
}

const MARKS_LISTED = 400;
function makeMarks() {
  const list = document.getElementById("marks"),
    found = [];
  for (let i = 0; i < trace.count; i++) if (isMark(i) && !["client", "lost", "note"].includes(markOf(i))) found.push(i);
  found.sort((a, b) => (markOf(b) === "violation") - (markOf(a) === "violation") || a - b);
  document.getElementById("mark-count").textContent = found.length.toLocaleString("en");
  for (const i of found.slice(0, MARKS_LISTED)) {
    const row = element("li", markOf(i)),
      node = trace.node[i] > 0 ? `n${trace.node[i]} ` : "";
    row.append(element("time", "", (trace.at[i] / 1e9).toFixed(3)), node + string(trace.text[i]));
    row.addEventListener("click", () => select(i, true));
    list.append(row);
  }
  if (found.length > MARKS_LISTED) list.append(element("li", "hint", `and ${found.length - MARKS_LISTED} more`));
}

function filtersChanged() {
  const middle = firstShown(view.top + visibleHeight() / 2),
    keep = view.shown[Math.min(middle, view.shown.length - 1)];
  applyFilters();
  mapPicture = null;
  if (keep !== undefined) view.top = view.y[keep] - visibleHeight() / 2;
  clampTop();
  search(document.getElementById("search").value);
}

/* ---- search ---- */

/* All words must be found in what is said of an event: its member, kind, fields, effects or state. */
function search(text) {
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
  view.hit = null;
  view.hits = [];
  mapPicture = null;
  if (words.length > 0) {
    const found = words.map((word) => {
      const holds = new Uint8Array(trace.strings.length);
      for (let s = 0; s < holds.length; s++) if (trace.strings[s].toLowerCase().includes(word)) holds[s] = 1;
      return holds;
    });
    view.hit = new Uint8Array(trace.count);
    for (const i of view.shown)
      if (words.every((word, w) => matches(i, word, found[w]))) ((view.hit[i] = 1), view.hits.push(i));
  }
  showMatches();
  redraw();
}

function matches(i, word, holds) {
  if (kindName(i).toLowerCase() === word || (trace.node[i] > 0 && "n" + trace.node[i] === word)) return true;
  if ((trace.name[i] >= 0 && holds[trace.name[i]]) || (trace.text[i] >= 0 && holds[trace.text[i]])) return true;
  const [first, end] = deedsOf(i);
  for (let d = first; d < end; d++)
    if ((trace.deedName[d] >= 0 && holds[trace.deedName[d]]) || (trace.deedText[d] >= 0 && holds[trace.deedText[d]]))
      return true;
  return trace.state[i] >= 0 && holds[trace.state[i]] === 1 && stateIsNews(i, word);
}

/* A state counts where it begins to match, not at every step after that. */
function stateIsNews(i, word) {
  const before = stepBefore(i);
  return before < 0 || trace.state[before] < 0 || !string(trace.state[before]).toLowerCase().includes(word);
}

function showMatches() {
  const at = view.hits.indexOf(view.selected);
  document.getElementById("matches").textContent =
    view.hit === null ? "" : at >= 0 ? `${at + 1} of ${view.hits.length}` : `${view.hits.length}`;
}

function nextMatch(step) {
  if (view.hits.length === 0) return;
  let at = view.hits.findIndex((i) => i >= view.selected);
  if (at < 0) at = view.hits.length;
  at = step > 0 ? at + (view.hits[at] === view.selected ? 1 : 0) : at - 1;
  select(view.hits[(at + view.hits.length) % view.hits.length], true);
}
