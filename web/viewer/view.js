/* What is shown, and where: filters, the vertical axis, and the columns. */
const GUTTER = 86,
  CLIENT_ROOM = 150,
  MAP_WIDTH = 74,
  HEAD = 34,
  RIGHT_ROOM = 150;

const view = {
  lineOn: trace.lines.map(() => true),
  quiet: false, // also steps in which nothing visible happens
  clients: true,
  faults: true,
  byTime: false,
  causal: false,
  scale: 24, // pixels a row, or a millisecond
  top: 0, // the axis' value at the upper edge
  panX: 0,
  selected: -1,
  shown: new Int32Array(0), // items in their order
  y: new Float64Array(trace.count), // of each item on the axis
  end: 1, // of the axis
  hit: null, // Uint8Array: items that the search found
  hits: [],
  hasClients: false,
};

function deedShows(deed) {
  if (!SHOWN_EFFECTS.has(trace.deedKind[deed])) return false;
  if (trace.deedKind[deed] === NOTE) return string(trace.deedName[deed]) !== "START";
  return trace.deedKind[deed] !== SEND || messageKinds.get(trace.deedName[deed])?.on;
}

function itemShows(i) {
  const line = trace.line[i];
  if (line >= 0 && !view.lineOn[line]) return false;
  if (isMark(i)) {
    const mark = markOf(i);
    if (mark === "client") return view.clients;
    if (mark === "up") return view.quiet;
    return mark === "fault" || mark === "fault-end" || mark === "note" || mark === "lost" ? view.faults : true;
  }
  if (view.quiet || (trace.kind[i] === START && string(trace.name[i]) !== "first")) return true;
  if (trace.kind[i] === MESSAGE && messageKinds.get(trace.name[i]).on) return true;
  const [first, end] = deedsOf(i);
  for (let d = first; d < end; d++) if (deedShows(d)) return true;
  return false;
}

/* What different members do at the same instant shares a row, unless one caused the other: as in the SVG. */
const INSTANT_NS = 10000;
function standsBeside(i, first, rowOf, row) {
  if (first < 0 || isMark(i) || isMark(first) || trace.at[i] - trace.at[first] > INSTANT_NS) return false;
  return rowOf[trace.line[i]] !== row && (trace.arrow[i] < 0 || view.y[trace.send[trace.arrow[i]]] !== row);
}

/* To be called when a filter changes. */
function applyFilters() {
  const shown = new Int32Array(trace.count),
    client = MARK + MARKS.indexOf("client");
  let count = 0,
    rows = 0,
    first = -1; // the first item of the row under way
  const rowOf = new Int32Array(trace.lines.length).fill(-1); // of each line: its last row
  view.hasClients = false;
  for (let i = 0; i < trace.count; i++) {
    if (itemShows(i)) {
      if (!standsBeside(i, first, rowOf, rows - 1)) (rows++, (first = i));
      shown[count++] = i;
      if (trace.line[i] >= 0) rowOf[trace.line[i]] = rows - 1;
      if (trace.kind[i] === client) view.hasClients = true;
    }
    view.y[i] = view.byTime ? trace.at[i] / 1e6 : Math.max(0, rows - 1);
  }
  view.shown = shown.slice(0, count);
  view.end = view.byTime ? (trace.count > 0 ? trace.at[trace.count - 1] / 1e6 : 1) : Math.max(1, rows);
  indexArrows();
}

const arrowShows = (a) =>
  messageKinds.get(trace.deedName[trace.arrowDeed[a]]).on && view.lineOn[trace.from[a]] && view.lineOn[trace.to[a]];

/* Arrows by blocks, each with the part of the axis that it touches, so that a frame looks at few. */
const BLOCK = 256;
let blocks = [];
const arrowEnd = (a) => (trace.receive[a] >= 0 ? view.y[trace.receive[a]] : view.y[trace.send[a]] + lostReach());
const lostReach = () => (view.byTime ? 0.5 : 1);
function indexArrows() {
  blocks = [];
  for (let first = 0; first < trace.arrowCount; first += BLOCK) {
    let low = Infinity,
      high = -Infinity;
    for (let a = first; a < Math.min(first + BLOCK, trace.arrowCount); a++) {
      low = Math.min(low, view.y[trace.send[a]]);
      high = Math.max(high, arrowEnd(a));
    }
    blocks.push([low, high]);
  }
}

/* Arrows that touch the part of the axis, at most about `most`: of more, every k-th. */
function arrowsWithin(low, high, most) {
  const all = [];
  for (let b = 0; b < blocks.length; b++) {
    if (blocks[b][1] < low || blocks[b][0] > high) continue;
    for (let a = b * BLOCK; a < Math.min((b + 1) * BLOCK, trace.arrowCount); a++)
      if (view.y[trace.send[a]] <= high && arrowEnd(a) >= low && arrowShows(a)) all.push(a);
  }
  if (all.length <= most) return { all, left: 0 };
  const step = Math.ceil(all.length / most),
    few = all.filter((a) => a % step === 0);
  return { all: few, left: all.length - few.length };
}

/* The first place in `shown` whose item is not above the value. */
function firstShown(value) {
  let low = 0,
    high = view.shown.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (view.y[view.shown[middle]] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/* ---- columns ---- */

let columns = []; // x of each line, NaN: not shown
let size = { width: 800, height: 600 };
function layoutColumns() {
  const left = GUTTER + (view.hasClients ? CLIENT_ROOM : 24),
    lines = trace.lines.map((_, l) => l).filter((l) => view.lineOn[l]);
  const room = size.width - left - RIGHT_ROOM - MAP_WIDTH;
  const spacing = Math.max(110, Math.min(330, room / Math.max(1, lines.length - 1)));
  columns = trace.lines.map(() => NaN);
  lines.forEach((line, place) => (columns[line] = left + place * spacing + view.panX));
  columns.spacing = spacing;
  columns.clientX = GUTTER + 14;
}

const toPixel = (value) => HEAD + 16 + (value - view.top) * view.scale;
const toValue = (pixel) => view.top + (pixel - HEAD - 16) / view.scale;
const visibleHeight = () => (size.height - HEAD - 32) / view.scale;

const leastScale = () => Math.max(1e-7, ((size.height - HEAD - 40) / Math.max(1, view.end)) * 0.95);
function setScale(scale, pixel) {
  const value = toValue(pixel);
  view.scale = Math.min(view.byTime ? 4000 : 60, Math.max(Math.min(leastScale(), 24), scale));
  view.top = value - (pixel - HEAD - 16) / view.scale;
  clampTop();
}
function clampTop() {
  const most = Math.max(0, view.end - visibleHeight() * 0.6);
  view.top = Math.min(most, Math.max(Math.min(0, -20 / view.scale), view.top));
}
function showItem(item) {
  const y = view.y[item],
    low = view.top,
    high = view.top + visibleHeight();
  if (view.scale < 8 && !view.byTime) view.scale = 24;
  if (y < low + 1 || y > high - 1 || view.scale < 8) view.top = y - visibleHeight() / 2;
  clampTop();
}
