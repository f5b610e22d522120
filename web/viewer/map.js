/* The narrow map of the whole trace at the right edge: how much happened where, faults, and what the canvas shows. */
const map = document.getElementById("map"),
  mapPaint = map.getContext("2d");
let mapPicture = null;

function drawMapPicture() {
  const height = size.height,
    lines = trace.lines.length,
    width = MAP_WIDTH - 16;
  mapPicture = new OffscreenCanvas(MAP_WIDTH * devicePixelRatio, height * devicePixelRatio);
  const brush = mapPicture.getContext("2d");
  brush.scale(devicePixelRatio, devicePixelRatio);
  brush.fillStyle = colours.panel;
  brush.fillRect(0, 0, MAP_WIDTH, height);
  const pixel = (value) => (value / Math.max(1e-9, view.end)) * (height - 4) + 2;
  for (const span of trace.spans) {
    if (span.kind !== CUT) continue;
    const from = pixel(view.y[span.first]),
      to = span.last < 0 ? height : pixel(view.y[span.last]);
    brush.fillStyle = colours.lane;
    brush.globalAlpha = 0.3;
    brush.fillRect(0, from, MAP_WIDTH, Math.max(1, to - from));
  }
  const rows = Math.ceil(height / 2),
    counts = new Uint32Array(rows * lines);
  let most = 1;
  for (const i of view.shown) {
    if (trace.line[i] < 0) continue;
    const k = trace.line[i] * rows + Math.min(rows - 1, Math.floor(pixel(view.y[i]) / 2));
    if (++counts[k] > most) most = counts[k];
  }
  const step = width / lines;
  brush.fillStyle = colours.ink;
  for (let l = 0; l < lines; l++)
    for (let r = 0; r < rows; r++) {
      if (counts[l * rows + r] === 0) continue;
      brush.globalAlpha = 0.15 + (0.75 * Math.log1p(counts[l * rows + r])) / Math.log1p(most);
      brush.fillRect(8 + l * step + step * 0.2, r * 2, Math.max(1, step * 0.6), 2);
    }
  brush.globalAlpha = 1;
  brush.fillStyle = colours.bad;
  for (const span of trace.spans)
    if (span.kind === DOWN)
      trace.lines.forEach((line, l) => {
        if (line[0] !== span.node) return;
        const from = pixel(view.y[span.first]),
          to = span.last < 0 ? height : pixel(view.y[span.last]);
        brush.fillRect(8 + l * step + step * 0.4, from, Math.max(1, step * 0.2), Math.max(2, to - from));
      });
  for (const i of violations) brush.fillRect(0, pixel(view.y[i]) - 1, MAP_WIDTH, 3);
  if (view.hit) {
    brush.fillStyle = colours.pick;
    for (const i of view.hits) brush.fillRect(MAP_WIDTH - 7, pixel(view.y[i]) - 1, 6, 2);
  }
}

function drawMapFrame() {
  if (!mapPicture) drawMapPicture();
  mapPaint.setTransform(1, 0, 0, 1, 0, 0);
  mapPaint.drawImage(mapPicture, 0, 0);
  mapPaint.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
  const pixel = (value) => (value / Math.max(1e-9, view.end)) * (size.height - 4) + 2;
  const from = Math.max(0, pixel(view.top)),
    to = Math.min(size.height, pixel(view.top + visibleHeight()));
  mapPaint.fillStyle = colours.pick;
  mapPaint.globalAlpha = 0.14;
  mapPaint.fillRect(0, from, MAP_WIDTH, Math.max(3, to - from));
  mapPaint.globalAlpha = 1;
  mapPaint.strokeStyle = colours.pick;
  mapPaint.lineWidth = 1.5;
  mapPaint.strokeRect(0.75, from, MAP_WIDTH - 1.5, Math.max(3, to - from));
}

function moveByMap(event) {
  const value = (event.offsetY / size.height) * view.end;
  view.top = value - visibleHeight() / 2;
  clampTop();
  redraw();
}
