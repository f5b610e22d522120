/* Drawing: the canvas shows the part of the trace between view.top and the lower edge, and no more of it than can be
 * told apart: dots and names when rows are high enough, else how much happened where. */
const canvas = document.getElementById("canvas"),
  paint = canvas.getContext("2d", { alpha: false });
const FONT = 'ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace';
const ARROWS_MAX = 1400,
  LABELS_MAX = 260;
let colours = {};
function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["back", "panel", "ink", "dim", "edge", "line", "bad", "warn", "cut", "lane", "pick", "hover"])
    colours[name] = style.getPropertyValue("--" + name).trim();
  colours.message = Array.from({ length: 8 }, (_, i) => style.getPropertyValue("--m" + i).trim());
}

let wanted = false;
const frames = [];
function redraw() {
  if (wanted) return;
  wanted = true;
  requestAnimationFrame(() => {
    wanted = false;
    const began = performance.now();
    drawAll();
    frames.push(performance.now() - began);
    if (frames.length > 1000) frames.shift();
  });
}

function drawAll() {
  layoutColumns();
  paint.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
  paint.fillStyle = colours.back;
  paint.fillRect(0, 0, size.width, size.height);
  const low = toValue(0),
    high = toValue(size.height);
  const first = firstShown(low),
    end = Math.min(view.shown.length, firstShown(high) + 1);
  const close = view.byTime ? (end - first) * 9 <= size.height : view.scale >= 11; // room for words
  const far = view.byTime ? (end - first) * 2 > size.height : view.scale < 3; // no room for dots
  drawCuts();
  drawSelectedBand();
  drawLines();
  if (far) drawDensity(first, end);
  const left = drawArrows(low, high, close);
  if (!far) drawItems(first, end, close);
  drawViolations();
  drawHead();
  drawTimes(first, end);
  drawMapFrame();
  const note = left > 0 ? `, ${left} messages more when you zoom in` : "";
  document.getElementById("count").textContent =
    `${view.shown.length.toLocaleString("en")} of ${trace.count.toLocaleString("en")} events${note}`;
}

/* ---- spans and lines ---- */

const spanPixels = (span) => [toPixel(view.y[span.first]), span.last < 0 ? size.height : toPixel(view.y[span.last])];

function drawCuts() {
  for (const span of trace.spans) {
    if (span.kind !== CUT) continue;
    const [from, to] = spanPixels(span);
    if (to < 0 || from > size.height) continue;
    paint.fillStyle = colours.cut;
    paint.fillRect(0, from, size.width, Math.max(1, to - from));
    paint.fillStyle = colours.lane;
    paint.fillRect(0, from, 4, Math.max(1, to - from));
  }
}

function drawSelectedBand() {
  if (view.selected < 0) return;
  paint.fillStyle = colours.hover;
  paint.fillRect(
    0,
    toPixel(view.y[view.selected]) - Math.min(12, view.scale / 2),
    size.width,
    Math.min(24, Math.max(3, view.scale)),
  );
}

let hatch;
function makeHatch() {
  const tile = new OffscreenCanvas(6, 6),
    brush = tile.getContext("2d");
  brush.strokeStyle = colours.dim;
  brush.lineWidth = 1.2;
  brush.beginPath();
  for (const x of [-6, 0, 6]) (brush.moveTo(x, 6), brush.lineTo(x + 6, 0));
  brush.stroke();
  hatch = paint.createPattern(tile, "repeat");
}

function drawBand(x, from, to, width, fill) {
  if (to < 0 || from > size.height) return;
  const top = Math.max(-2, from),
    bottom = Math.min(size.height + 2, to);
  paint.fillStyle = fill;
  paint.fillRect(x, top, width, Math.max(0.7, bottom - top));
}

function drawLines() {
  paint.lineWidth = 1.4;
  if (view.hasClients) {
    paint.strokeStyle = colours.edge;
    paint.beginPath();
    paint.moveTo(columns.clientX, HEAD);
    paint.lineTo(columns.clientX, size.height);
    paint.stroke();
  }
  trace.lines.forEach((line, l) => {
    const x = columns[l];
    if (!(x > -20 && x < size.width)) return;
    paint.globalAlpha = 0.36;
    for (const band of states.byLine[l])
      drawBand(x - 5, toPixel(view.y[band.from]), toPixel(view.y[band.to]), 10, colours.message[band.colour]);
    paint.globalAlpha = 1;
    paint.strokeStyle = colours.line;
    paint.beginPath();
    paint.moveTo(x, HEAD);
    paint.lineTo(x, size.height);
    paint.stroke();
    for (const span of trace.spans) {
      if (span.node !== line[0] || span.kind === CUT) continue;
      const [from, to] = spanPixels(span);
      if (span.kind === DOWN) drawBand(x - 7, from, to, 14, colours.back);
      if (span.kind === FAULT) drawBand(x + 7, from, to, 3, colours.lane);
      else drawBand(x - 6, from, to, 12, hatch);
    }
  });
}

/* ---- far away: how much happened ---- */

function drawDensity(first, end) {
  const height = Math.ceil(size.height),
    lines = trace.lines.length,
    counts = new Uint16Array(height * lines);
  const marks = [];
  for (let place = first; place < end; place++) {
    const i = view.shown[place],
      pixel = Math.floor(toPixel(view.y[i]));
    if (pixel < 0 || pixel >= height) continue;
    const line = trace.line[i];
    if (line >= 0) counts[line * height + pixel]++;
    if (trace.kind[i] === MARK + 2 || trace.kind[i] === MARK + 11) marks.push([line, pixel]);
  }
  let most = 1;
  for (let k = 0; k < counts.length; k++) if (counts[k] > most) most = counts[k];
  paint.fillStyle = colours.ink;
  for (let l = 0; l < lines; l++) {
    const x = columns[l];
    if (!(x > -60 && x < size.width + 60)) continue;
    let run = 0,
      level = 0;
    for (let pixel = 0; pixel <= height; pixel++) {
      const count = pixel < height ? counts[l * height + pixel] : 0;
      const now = count === 0 ? 0 : Math.max(1, Math.ceil((4 * Math.log1p(count)) / Math.log1p(most)));
      if (now === level) continue;
      if (level > 0) {
        const width = 3 + 4 * level;
        paint.globalAlpha = 0.18 + 0.14 * level;
        paint.fillRect(x - width / 2, run, width, pixel - run);
      }
      run = pixel;
      level = now;
    }
  }
  paint.globalAlpha = 1;
  for (const [line, pixel] of marks) if (line >= 0) drawCross(columns[line], pixel, 4);
}

function drawCross(x, y, radius) {
  paint.strokeStyle = colours.bad;
  paint.lineWidth = 2;
  paint.beginPath();
  paint.moveTo(x - radius, y - radius);
  paint.lineTo(x + radius, y + radius);
  paint.moveTo(x + radius, y - radius);
  paint.lineTo(x - radius, y + radius);
  paint.stroke();
}

/* ---- messages ---- */

function arrowPixels(a) {
  const x1 = columns[trace.from[a]],
    y1 = toPixel(view.y[trace.send[a]]);
  let x2 = columns[trace.to[a]],
    y2;
  if (trace.receive[a] >= 0) y2 = toPixel(view.y[trace.receive[a]]);
  else {
    x2 = x1 + 0.55 * (x2 - x1);
    y2 = y1 + Math.min(26, Math.max(2, view.scale));
  }
  return [x1, y1, x2, y2];
}

function drawArrows(low, high, close) {
  const { all, left } = arrowsWithin(low, high, ARROWS_MAX);
  const several = all.length > 500;
  for (let colour = 0; colour < 8; colour++)
    for (const dashed of [false, true]) {
      paint.beginPath();
      let any = false;
      for (const a of all) {
        const fate = trace.fate[a];
        if (messageKinds.get(trace.deedName[trace.arrowDeed[a]]).colour !== colour || (fate !== RECEIVED) !== dashed)
          continue;
        const [x1, y1, x2, y2] = arrowPixels(a);
        if (trace.from[a] === trace.to[a]) {
          paint.moveTo(x1 + 4, y1);
          paint.bezierCurveTo(x1 + 34, y1 + 4, x1 + 34, y2 - 4, x2 + 5, y2);
        } else {
          paint.moveTo(x1, y1);
          paint.lineTo(x2, y2);
        }
        any = true;
      }
      if (!any) continue;
      paint.strokeStyle = colours.message[colour];
      paint.globalAlpha = several ? 0.45 : 0.95;
      paint.lineWidth = several ? 0.8 : 1.3;
      paint.setLineDash(dashed && !several ? [5, 3] : []);
      paint.stroke();
    }
  paint.setLineDash([]);
  paint.globalAlpha = 1;
  if (!several) drawTips(all);
  if (close) drawLabels(all);
  if (view.selected >= 0) drawPicked(all);
  return left;
}

function drawTips(all) {
  for (const a of all) {
    const [x1, y1, x2, y2] = arrowPixels(a);
    const length = Math.hypot(x2 - x1, y2 - y1);
    if (trace.fate[a] === LOST) drawCross(x2, y2, view.scale > 8 ? 4 : 2.5);
    if (length < 1 || trace.fate[a] === LOST) continue;
    const ux = (x2 - x1) / length,
      uy = (y2 - y1) / length,
      x = x2 - 4 * ux,
      y = y2 - 4 * uy;
    paint.fillStyle = colours.message[messageKinds.get(trace.deedName[trace.arrowDeed[a]]).colour];
    paint.beginPath();
    paint.moveTo(x, y);
    paint.lineTo(x - 9 * ux + 3.4 * uy, y - 9 * uy - 3.4 * ux);
    paint.lineTo(x - 9 * ux - 3.4 * uy, y - 9 * uy + 3.4 * ux);
    paint.fill();
  }
}

/* The messages of the selected event stand out. */
function drawPicked(all) {
  paint.strokeStyle = colours.pick;
  paint.lineWidth = 2.6;
  for (const a of all) {
    if (trace.send[a] !== view.selected && trace.receive[a] !== view.selected) continue;
    const [x1, y1, x2, y2] = arrowPixels(a);
    paint.beginPath();
    paint.moveTo(x1, y1);
    paint.lineTo(x2, y2);
    paint.stroke();
  }
}

/* ---- events ---- */

const itemWords = new Map();
function wordsOf(i) {
  let words = itemWords.get(i);
  if (words !== undefined) return words;
  const parts = [];
  if (isMark(i)) parts.push(string(trace.text[i]));
  else {
    if (trace.kind[i] === TIMEOUT) parts.push("timeout");
    if (trace.kind[i] === START) parts.push("start " + string(trace.name[i]));
    if (view.quiet && parts.length === 0 && trace.kind[i] !== MESSAGE)
      parts.push(kindName(i).toLowerCase() + " " + string(trace.name[i]));
    const [first, end] = deedsOf(i);
    for (let d = first; d < end; d++) {
      const name = string(trace.deedName[d]),
        text = string(trace.deedText[d]);
      if (trace.deedKind[d] === NOTE && name !== "START")
        parts.push(name.replace("->", "→") + (text !== "0" && text.length < 10 ? " " + text : ""));
      else if (trace.deedKind[d] === REPLY) parts.push(name === "answer" ? "answers" : name);
    }
  }
  words = parts.join(" · ");
  if (words.length > 64) words = words.slice(0, 63) + "…";
  if (itemWords.size > 5000) itemWords.clear();
  itemWords.set(i, words);
  return words;
}

function dotColour(i) {
  if (view.hit && view.hit[i]) return colours.warn;
  if (!view.causal || view.selected < 0 || isMark(i) || vectors() === null)
    return isMark(i) ? colours.warn : colours.ink;
  const relation = order(i, view.selected);
  return relation < 0 ? colours.message[0] : relation > 0 ? colours.message[1] : colours.edge;
}

function drawItems(first, end, close) {
  if (!close) boxes = [];
  for (let p = first; p < end; p++) {
    const i = view.shown[p],
      y = toPixel(view.y[i]),
      mark = isMark(i) ? markOf(i) : "";
    const line = trace.line[i],
      x = line >= 0 ? columns[line] : columns.clientX + 8;
    if (mark === "client") drawClient(i, x, y, close);
    else if (mark === "down") drawCross(x, y, close ? 7 : 4);
    else {
      paint.fillStyle = dotColour(i);
      const radius = i === view.selected ? 5.5 : view.scale > 8 ? 4 : 2.2;
      paint.beginPath();
      if (mark !== "") paint.rect(x - radius * 0.8, y - radius * 0.8, radius * 1.6, radius * 1.6);
      else paint.arc(x, y, radius, 0, 7);
      paint.fill();
      if (i === view.selected || (view.hit && view.hit[i])) {
        paint.strokeStyle = i === view.selected ? colours.pick : colours.warn;
        paint.lineWidth = 2;
        paint.beginPath();
        paint.arc(x, y, radius + 3, 0, 7);
        paint.stroke();
      }
    }
    if (close && mark !== "client" && mark !== "violation") drawItemWords(i, x, y, mark);
  }
}

function drawItemWords(i, x, y, mark) {
  let words = wordsOf(i);
  if (view.causal && !isMark(i) && vectors() !== null && trace.lines.length <= 9) {
    const clock = "[" + Array.from(vectorOf(i)).join(" ") + "]";
    words = words === "" ? clock : words + " " + clock;
  }
  if (words === "") return;
  const width = words.length * CHARACTER + 8;
  const sides =
    x + 9 + width > size.width - MAP_WIDTH && x - 9 - width > GUTTER ? [x - 9 - width] : [x + 9, x - 9 - width];
  const candidates = [0, 7, 13].flatMap((down) =>
    sides.map((left) => [left, y - 15 + down, left + width, y - 2 + down]),
  );
  const { box } = place(candidates.filter((candidate) => candidate[0] > GUTTER || candidate[0] === x + 9));
  paint.fillStyle = colours.back;
  paint.globalAlpha = 0.88;
  paint.beginPath();
  paint.roundRect(box[0], box[1], width, 14, 4);
  paint.fill();
  paint.globalAlpha = 1;
  if (mark === "") {
    paint.strokeStyle = colours.edge;
    paint.lineWidth = 1;
    paint.stroke();
  }
  paint.font = (mark === "down" ? "600 " : "") + "10.5px " + FONT;
  paint.fillStyle =
    mark === "down"
      ? colours.bad
      : mark === "cut" || mark === "healed"
        ? colours.warn
        : mark !== ""
          ? colours.dim
          : colours.ink;
  paint.fillText(words, box[0] + 4, box[1] + 10.5);
}

function drawClient(i, x, y, close) {
  const text = string(trace.text[i]).replace(/^client /, ""),
    asks = / asks /.test(text),
    from = columns.clientX;
  paint.fillStyle = paint.strokeStyle = view.hit && view.hit[i] ? colours.warn : colours.dim;
  if (trace.line[i] >= 0 && (asks || / hears /.test(text))) {
    paint.lineWidth = 1;
    paint.setLineDash([1, 3]);
    paint.beginPath();
    paint.moveTo(from, y);
    paint.lineTo(x, y);
    paint.stroke();
    paint.setLineDash([]);
    const tip = asks ? x - 5 : from + 5,
      back = asks ? -8 : 8;
    paint.beginPath();
    paint.moveTo(tip, y);
    paint.lineTo(tip + back, y - 3.5);
    paint.lineTo(tip + back, y + 3.5);
    paint.fill();
  }
  paint.beginPath();
  paint.arc(from, y, i === view.selected ? 5 : 3, 0, 7);
  paint.fill();
  if (close) drawWords(text.length > 22 ? text.slice(0, 21) + "…" : text, from + 7, y - 4, colours.dim, false);
}

/* ---- what stands above everything ---- */

const violations = [];
for (let i = 0; i < trace.count; i++) if (isMark(i) && markOf(i) === "violation") violations.push(i);

function drawViolations() {
  for (const i of violations) {
    const y = toPixel(view.y[i]);
    if (y < 0 || y > size.height) continue;
    paint.fillStyle = colours.bad;
    paint.globalAlpha = 0.15;
    paint.fillRect(0, y - 11, size.width, 22);
    paint.globalAlpha = 1;
    paint.fillRect(0, y - 11, 4, 22);
    if (trace.line[i] >= 0) {
      paint.strokeStyle = colours.bad;
      paint.lineWidth = 2.5;
      paint.beginPath();
      paint.arc(columns[trace.line[i]], y, 8, 0, 7);
      paint.stroke();
    }
    paint.font = "600 11.5px " + FONT;
    paint.lineWidth = 3.5;
    paint.strokeStyle = colours.back;
    paint.strokeText("✘ " + string(trace.text[i]), GUTTER + 4, y + 4);
    paint.fillText("✘ " + string(trace.text[i]), GUTTER + 4, y + 4);
  }
}

function drawHead() {
  paint.fillStyle = colours.back;
  paint.fillRect(0, 0, size.width, HEAD);
  paint.fillStyle = colours.edge;
  paint.fillRect(0, HEAD - 1, size.width, 1);
  paint.textAlign = "center";
  paint.font = "600 13.5px " + FONT;
  trace.lines.forEach((_, l) => {
    if (Number.isNaN(columns[l])) return;
    paint.fillStyle = colours.ink;
    paint.fillText(lineName(l), columns[l], 21);
  });
  paint.fillStyle = colours.dim;
  paint.font = "12px " + FONT;
  if (view.hasClients) paint.fillText("clients", columns.clientX + 6, 21);
  paint.textAlign = "left";
  paint.fillText("seconds", 8, 21);
}

function drawTimes(first, end) {
  paint.font = "10.5px " + FONT;
  paint.fillStyle = colours.dim;
  paint.textAlign = "right";
  let last = -100;
  for (let p = first; p < end; p++) {
    const i = view.shown[p],
      y = toPixel(view.y[i]);
    if (y < HEAD + 6 || y - last < 22) continue;
    last = y;
    paint.fillText((trace.at[i] / 1e9).toFixed(5), GUTTER - 16, y + 3.5);
    p = Math.max(p, firstShown(toValue(y + 22)) - 1);
  }
  paint.textAlign = "left";
}
