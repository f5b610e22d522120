/* Mouse, keys, and the beginning. */
const stage = document.getElementById("stage");

function select(item, move) {
  view.selected = item;
  showDetails(item);
  if (item >= 0 && move) showItem(item);
  showMatches();
  redraw();
}

/* The item next to a point: what stands nearest, or the end of a message whose line passes there. */
function itemAt(x, y) {
  const first = firstShown(toValue(y - 14)),
    end = firstShown(toValue(y + 14));
  let best = -1,
    least = 15;
  for (let p = first; p < end; p++) {
    const i = view.shown[p],
      line = trace.line[i];
    let dx = line >= 0 ? x - columns[line] : 0;
    if (isMark(i) && (markOf(i) === "client" || markOf(i) === "violation" || line < 0)) dx = 0;
    const distance = Math.hypot(Math.abs(dx) > 12 && dx > 0 && dx < 160 ? dx / 12 : dx, toPixel(view.y[i]) - y);
    if (distance < least) [best, least] = [i, distance];
  }
  return best >= 0 ? best : messageAt(x, y);
}

function messageAt(x, y) {
  let best = -1,
    least = 6;
  for (const a of arrowsWithin(toValue(y - 3), toValue(y + 3), ARROWS_MAX).all) {
    const [x1, y1, x2, y2] = arrowPixels(a),
      length = (x2 - x1) ** 2 + (y2 - y1) ** 2;
    const t = length === 0 ? 0 : Math.max(0, Math.min(1, ((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / length));
    const distance = Math.hypot(x - x1 - t * (x2 - x1), y - y1 - t * (y2 - y1));
    if (distance < least) [best, least] = [trace.receive[a] >= 0 ? trace.receive[a] : trace.send[a], distance];
  }
  return best;
}

function step(direction) {
  const at = view.selected < 0 ? firstShown(view.top) - (direction > 0 ? 1 : 0) : view.shown.indexOf(view.selected);
  const next = view.shown[Math.max(0, Math.min(view.shown.length - 1, at + direction))];
  if (next !== undefined) select(next, true);
}

function stepOnLine(direction) {
  if (view.selected < 0) return step(direction);
  let at = view.shown.indexOf(view.selected) + direction;
  while (at >= 0 && at < view.shown.length && trace.line[view.shown[at]] !== trace.line[view.selected]) at += direction;
  if (at >= 0 && at < view.shown.length) select(view.shown[at], true);
}

/* From a reception to its sending, from a sending to its first reception. */
function follow() {
  const item = view.selected;
  if (item < 0) return;
  if (trace.arrow[item] >= 0) return select(trace.send[trace.arrow[item]], true);
  const [first, end] = deedsOf(item);
  for (let d = first; d < end; d++)
    for (let k = 0; k < trace.deedTargets[d]; k++)
      if (trace.receive[trace.deedArrow[d] + k] >= 0) return select(trace.receive[trace.deedArrow[d] + k], true);
}

function fit() {
  view.scale = Math.min(24, leastScale());
  view.top = 0;
  view.panX = 0;
  redraw();
}

function zoom(factor, pixel) {
  setScale(view.scale * factor, pixel ?? size.height / 2);
  redraw();
}

function pan(pixels) {
  view.top += pixels / view.scale;
  clampTop();
  redraw();
}

function toggleTime() {
  const keep = view.selected >= 0 ? view.selected : (view.shown[firstShown(view.top)] ?? 0);
  view.byTime = !view.byTime;
  document.getElementById("scale").textContent = view.byTime ? "time" : "order";
  applyFilters();
  mapPicture = null;
  view.scale = view.byTime ? 40 : 24;
  view.top = view.y[keep] - visibleHeight() / 2;
  clampTop();
  redraw();
}

function toggleCausal() {
  view.causal = !view.causal;
  document.getElementById("causal").classList.toggle("on", view.causal);
  showDetails(view.selected);
  redraw();
}

function toggleTheme() {
  document.documentElement.classList.toggle("dark");
  themeChanged();
}

function themeChanged() {
  readColours();
  makeHatch();
  mapPicture = null;
  redraw();
}

function resize() {
  size = { width: stage.clientWidth, height: stage.clientHeight };
  for (const [target, width] of [
    [canvas, size.width],
    [map, MAP_WIDTH],
  ]) {
    target.width = width * devicePixelRatio;
    target.height = size.height * devicePixelRatio;
    target.style.width = width + "px";
    target.style.height = size.height + "px";
  }
  mapPicture = null;
  clampTop();
  redraw();
}

const keys = {
  ArrowDown: () => step(1),
  ArrowUp: () => step(-1),
  ArrowRight: () => stepOnLine(1),
  ArrowLeft: () => stepOnLine(-1),
  j: () => step(1),
  k: () => step(-1),
  Enter: follow,
  "+": () => zoom(1.5),
  "=": () => zoom(1.5),
  "-": () => zoom(1 / 1.5),
  0: fit,
  PageDown: () => pan(size.height * 0.85),
  PageUp: () => pan(-size.height * 0.85),
  Home: () => pan(-1e12),
  End: () => pan(1e12),
  n: () => nextMatch(1),
  p: () => nextMatch(-1),
  g: () => violations.length > 0 && select(violations[0], true),
  t: toggleTime,
  v: toggleCausal,
  d: toggleTheme,
  q: () => document.getElementById("quiet").click(),
  "/": () => document.getElementById("search").focus(),
  "?": () => document.getElementById("keys").showModal(),
  Escape: () => select(-1, false),
};

function listenToKeys() {
  document.addEventListener("keydown", (event) => {
    const inSearch = event.target.id === "search";
    if (event.ctrlKey || event.metaKey || event.altKey || document.getElementById("keys").open) return;
    if (inSearch && event.key === "Enter") return nextMatch(event.shiftKey ? -1 : 1);
    if (inSearch && event.key === "Escape") return canvas.focus();
    if (inSearch || !(event.key in keys)) return;
    event.preventDefault();
    keys[event.key]();
  });
  const button = (id, act) => document.getElementById(id).addEventListener("click", () => (act(), canvas.focus()));
  button("zoom-in", () => zoom(1.5));
  button("zoom-out", () => zoom(1 / 1.5));
  button("fit", fit);
  button("scale", toggleTime);
  button("causal", toggleCausal);
  button("theme", toggleTheme);
  button("violation", keys.g);
  document.getElementById("help").addEventListener("click", keys["?"]);
  let later = 0;
  document.getElementById("search").addEventListener("input", (event) => {
    clearTimeout(later);
    later = setTimeout(() => search(event.target.value), 120);
  });
}

function listenToMouse() {
  let drag = null;
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const pixels = (event.deltaY || event.deltaX) * (event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1);
      if (event.shiftKey) pan(pixels);
      else zoom(Math.exp(-Math.max(-200, Math.min(200, pixels)) / 420), event.offsetY);
    },
    { passive: false },
  );
  canvas.addEventListener("pointerdown", (event) => {
    drag = { x: event.offsetX, y: event.offsetY, moved: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const dx = event.offsetX - drag.x,
      dy = event.offsetY - drag.y;
    if (!drag.moved && Math.hypot(dx, dy) < 4) return;
    view.panX = columns.spacing > 111 ? 0 : Math.min(0, view.panX + dx); // columns that all fit stay where they are
    pan(-dy);
    drag = { x: event.offsetX, y: event.offsetY, moved: true };
  });
  canvas.addEventListener("pointerup", (event) => {
    if (drag && !drag.moved) select(itemAt(event.offsetX, event.offsetY), false);
    drag = null;
  });
  map.addEventListener("pointerdown", (event) => {
    map.setPointerCapture(event.pointerId);
    moveByMap(event);
  });
  map.addEventListener("pointermove", (event) => event.buttons === 1 && moveByMap(event));
}

function begin() {
  document.title = trace.title || "trace";
  document.getElementById("title").textContent = trace.title || "trace";
  document.getElementById("subtitle").textContent = [
    trace.protocol,
    `${trace.lines.length} members`,
    `${trace.count.toLocaleString("en")} events`,
    `${trace.arrowCount.toLocaleString("en")} messages`,
    trace.cut ? "its end is missing: the trace was too long" : "",
  ]
    .filter((part) => part)
    .join(" · ");
  document.getElementById("scale").textContent = "order";
  document.getElementById("violation").hidden = violations.length === 0;
  if (matchMedia("(prefers-color-scheme: dark)").matches) document.documentElement.classList.add("dark");
  makeChoices();
  makeMarks();
  readColours();
  makeHatch();
  applyFilters();
  listenToKeys();
  listenToMouse();
  new ResizeObserver(resize).observe(stage);
  resize();
  if (violations.length > 0) select(violations[0], true);
  canvas.focus();
}

begin();
/* For tests: where an item stands on the page. */
window.viewer = {
  trace,
  view,
  frames,
  select,
  string,
  shownCount: () => view.shown.length,
  pointOf: (item) => {
    const box = canvas.getBoundingClientRect();
    const x = trace.line[item] >= 0 ? columns[trace.line[item]] : columns.clientX;
    return { x: box.left + x, y: box.top + toPixel(view.y[item]) };
  },
};
