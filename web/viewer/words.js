/* Words that keep off one another, and what is said of messages. */

let boxes = [];
const CHARACTER = 6.35;
function place(candidates) {
  let best = null,
    least = Infinity;
  for (const box of candidates) {
    let sum = 0;
    for (let i = boxes.length - 1; i >= 0 && sum < least; i--) {
      const other = boxes[i];
      const w = Math.min(box[2], other[2]) - Math.max(box[0], other[0]),
        h = Math.min(box[3], other[3]) - Math.max(box[1], other[1]);
      if (w > 0 && h > 0) sum += w * h;
    }
    if (sum < least) [least, best] = [sum, box];
    if (sum === 0) break;
  }
  boxes.push(best);
  return { box: best, clash: least };
}

/* As in the SVG: long numbers and zeros are not worth their room. */
const worth = (word) => {
  const value = word.slice(word.indexOf("=") + 1);
  return word.indexOf("=") < 0
    ? word.length < 24
    : value !== "0" && value !== "[0]" && !/^\d{10}/.test(value) && value.length < 24;
};
const shortened = new Map();
function shorten(text, most) {
  let words = shortened.get(text);
  if (words === undefined) {
    words = text.split(" ").filter((word) => word !== "" && worth(word));
    shortened.set(text, words);
    if (shortened.size > 20000) shortened.clear();
  }
  let out = "";
  for (const word of words) {
    if (out.length + word.length + 1 > most) return out + " …";
    out += " " + word;
  }
  return out;
}

function drawWords(text, x, y, colour, bold) {
  paint.font = (bold ? "600 " : "") + "10.5px " + FONT;
  paint.lineWidth = 3.5;
  paint.strokeStyle = colours.back;
  paint.strokeText(text, x, y);
  paint.fillStyle = colour;
  paint.fillText(text, x, y);
}

function drawLabels(all) {
  const said = new Set();
  let count = 0;
  boxes = [];
  paint.lineJoin = "round";
  for (const a of all) {
    const [x1, y1, x2, y2] = arrowPixels(a),
      deed = trace.arrowDeed[a];
    if (Math.max(y1, y2) < HEAD || Math.min(y1, y2) > size.height || ++count > LABELS_MAX) continue;
    const name = string(trace.deedName[deed]);
    const room = Math.min(50, (columns.spacing / CHARACTER) * 0.95) - name.length;
    const fields = said.has(deed) ? "" : shorten(string(trace.deedText[deed]), room);
    said.add(deed);
    const width = (name.length + fields.length) * CHARACTER + 4,
      candidates = [];
    for (const t of [0.5, 0.38, 0.62, 0.27, 0.73])
      for (const up of [4, 11, -9]) {
        const x = x1 + t * (x2 - x1),
          y = y1 + t * (y2 - y1) - up;
        candidates.push([x - width / 2, y - 9, x + width / 2, y + 3]);
      }
    const { box, clash } = place(candidates);
    if (clash > width * 5) continue;
    const colour = colours.message[messageKinds.get(trace.deedName[deed]).colour];
    drawWords(name, box[0] + 2, box[3] - 3, colour, true);
    if (fields !== "") drawWords(fields, box[0] + 2 + name.length * CHARACTER, box[3] - 3, colour, false);
  }
}

