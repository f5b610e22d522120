/* The trace as the page holds it: columns of numbers, one entry an item, and one table of strings. */
const EVENTS = ["RESTORE", "START", "STORED", "RESULT", "STATE", "PEER", "MESSAGE", "REQUEST", "TIMEOUT", "TURN"];
const EFFECTS = ["STORE", "SEND", "ARM", "CHECKPOINT", "ADOPT", "DELIVER", "REPLY", "SUSPECT", "VIEW", "NOTE", "AGAIN"];
const MARKS = [
  "note",
  "up",
  "down",
  "paused",
  "runs",
  "cut",
  "healed",
  "lost",
  "fault",
  "fault-end",
  "client",
  "violation",
];
const MARK = 16; // kinds from here on are marks
const MESSAGE = EVENTS.indexOf("MESSAGE"),
  START = EVENTS.indexOf("START"),
  TIMEOUT = EVENTS.indexOf("TIMEOUT");
const SEND = EFFECTS.indexOf("SEND"),
  NOTE = EFFECTS.indexOf("NOTE"),
  REPLY = EFFECTS.indexOf("REPLY");
const SHOWN_EFFECTS = new Set(
  ["SEND", "NOTE", "REPLY", "SUSPECT", "CHECKPOINT", "ADOPT"].map((name) => EFFECTS.indexOf(name)),
);
const [DOWN, PAUSED, CUT, FAULT] = [0, 1, 2, 3]; // kinds of spans
const [RECEIVED, AGAIN, LOST, UNDER_WAY] = [0, 1, 2, 3]; // fates of arrows

function column(text, Kind) {
  const binary = atob(text),
    bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return new Kind(bytes.buffer);
}

function readTrace() {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { items, deeds, arrows } = data;
  return {
    title: data.title,
    protocol: data.protocol,
    cut: data.cut,
    strings: data.strings,
    lines: data.lines,
    spans: data.spans,
    count: items.count,
    at: column(items.at, Float64Array),
    kind: column(items.kind, Uint8Array),
    line: column(items.line, Int32Array),
    node: column(items.node, Uint32Array),
    name: column(items.name, Int32Array),
    text: column(items.text, Int32Array),
    state: column(items.state, Int32Array),
    arrow: column(items.arrow, Int32Array),
    deed: column(items.deed, Uint32Array),
    deedKind: column(deeds.kind, Uint8Array),
    deedName: column(deeds.name, Int32Array),
    deedText: column(deeds.text, Int32Array),
    deedArrow: column(deeds.arrow, Int32Array),
    deedTargets: column(deeds.targets, Uint32Array),
    arrowCount: arrows.count,
    send: column(arrows.send, Int32Array),
    receive: column(arrows.receive, Int32Array),
    arrowDeed: column(arrows.deed, Int32Array),
    from: column(arrows.from, Int32Array),
    to: column(arrows.to, Int32Array),
    fate: column(arrows.fate, Uint8Array),
  };
}

const trace = readTrace();
const string = (id) => (id < 0 ? "" : trace.strings[id]);
const isMark = (item) => trace.kind[item] >= MARK;
const markOf = (item) => MARKS[trace.kind[item] - MARK];
const kindName = (item) => (isMark(item) ? markOf(item) : EVENTS[trace.kind[item]]);
const deedsOf = (item) => [trace.deed[item], trace.deed[item + 1]];
const lineName = (line) => (trace.lines[line][2] ? "gateway " : "n") + trace.lines[line][0] + (severalGroups ? " g" + trace.lines[line][1] : "");
const seconds = (ns) => (ns / 1e9).toFixed(6) + " s";
const severalGroups = new Set(trace.lines.map((line) => line[1])).size > 1;

/* What a note leads to: "CANDIDATE" of "FOLLOWER -> CANDIDATE"; null for others. */
function stateOf(note) {
  const at = note.indexOf("-> ");
  return at < 0 ? null : note.slice(at + 3);
}

/* Kinds of messages by name, the most frequent first in the list, coloured in the order of appearance. */
const messageKinds = (() => {
  const kinds = new Map();
  for (let a = 0; a < trace.arrowCount; a++) {
    const name = trace.deedName[trace.arrowDeed[a]];
    if (!kinds.has(name)) kinds.set(name, { name, colour: kinds.size % 8, count: 0, on: true });
    kinds.get(name).count++;
  }
  for (let i = 0; i < trace.count; i++)
    // received, though nobody sent them
    if (trace.kind[i] === MESSAGE && !kinds.has(trace.name[i]))
      kinds.set(trace.name[i], { name: trace.name[i], colour: kinds.size % 8, count: 1, on: true });
  return kinds;
})();

/* For each line its states: from which item to which, and the colour. */
const states = (() => {
  const colours = new Map(),
    open = trace.lines.map(() => null),
    all = trace.lines.map(() => []);
  const close = (line, item) => {
    if (open[line]) all[line].push({ ...open[line], to: item });
    open[line] = null;
  };
  for (let i = 0; i < trace.count; i++) {
    const line = trace.line[i];
    if (isMark(i)) {
      if (markOf(i) === "down") trace.lines.forEach((at, l) => at[0] === trace.node[i] && close(l, i));
      continue;
    }
    const [first, end] = deedsOf(i);
    for (let d = first; d < end; d++) {
      if (trace.deedKind[d] !== NOTE) continue;
      const state = stateOf(string(trace.deedName[d]));
      if (state === null) continue;
      if (!colours.has(state)) colours.set(state, colours.size % 8);
      close(line, i);
      open[line] = { from: i, state, colour: colours.get(state) };
    }
  }
  trace.lines.forEach((_, line) => close(line, trace.count - 1));
  return { byLine: all, colours };
})();

/* The state of the item's member before it: the item of its last step, or -1 when it has started anew. */
function stepBefore(item) {
  for (let i = item - 1; i >= 0; i--) {
    if (!isMark(i) && trace.line[i] === trace.line[item]) return i;
    if (isMark(i) && markOf(i) === "down" && trace.node[i] === trace.node[item]) return -1;
  }
  return -1;
}

/* Vector timestamps (Mattern 1988, Fidge 1988), made when they are first asked for; null: too many. */
let vectorTable;
function vectors() {
  if (vectorTable !== undefined) return vectorTable;
  const width = trace.lines.length;
  if (width * trace.count > 6e7) return (vectorTable = null);
  const table = new Uint32Array(width * trace.count),
    latest = new Uint32Array(width * width);
  for (let i = 0; i < trace.count; i++) {
    const line = trace.line[i];
    if (line < 0) continue;
    const own = latest.subarray(line * width, (line + 1) * width);
    if (!isMark(i)) {
      own[line]++;
      if (trace.arrow[i] >= 0) {
        const sent = trace.send[trace.arrow[i]] * width;
        for (let k = 0; k < width; k++) if (table[sent + k] > own[k]) own[k] = table[sent + k];
      }
    }
    table.set(own, i * width);
  }
  return (vectorTable = table);
}
const vectorOf = (item) => vectors().subarray(item * trace.lines.length, (item + 1) * trace.lines.length);

/* -1: a happened before b; 1: after; 0: neither. */
function order(a, b) {
  const la = trace.line[a],
    lb = trace.line[b];
  if (la < 0 || lb < 0) return 0;
  if (la === lb) return Math.sign(a - b);
  const va = vectorOf(a),
    vb = vectorOf(b);
  return vb[la] >= va[la] && va[la] > 0 ? -1 : va[lb] >= vb[lb] && vb[lb] > 0 ? 1 : 0;
}
