// The page of --html in a real browser: what it shows, what a click and a filter do, and how long frames take.
//
// usage: node viewer_test.mjs PAGE.html EXPECTED.json PICTURE.png [WIDE]
// EXPECTED.json: {"items": n, "arrows": n, "lines": n, "violations": n} as counted from the stored trace, and with
// "fast": true the times are checked too. LOCKSTEP_VIEWER_MODULES names the folder that has playwright-core.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const OPEN_MS_MAX = 3000,
  FRAME_MS_P95_MAX = 50;
const [page, expectedPath, picture] = process.argv.slice(2);
const expected = JSON.parse(readFileSync(expectedPath, "utf8"));
const { chromium } = createRequire(process.env.LOCKSTEP_VIEWER_MODULES + "/")("playwright-core");

let failures = 0;
function check(holds, what) {
  if (holds) return;
  failures++;
  console.log(`viewer_test: ${what}`);
}
const equal = (is, should, what) => check(is === should, `${what}: ${is}, not ${should}`);
const percentile = (values, part) =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))];

const browser = await chromium.launch({
  executablePath: process.env.LOCKSTEP_CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-dev-shm-usage"],
});
const tab = await browser.newPage({ viewport: { width: 1500, height: 950 }, bypassCSP: true });
tab.on("pageerror", (error) => check(false, `the page failed: ${error}`));
tab.on("request", (request) => check(request.url().startsWith("file:"), `the page asked for ${request.url()}`));

// ---- opening ----
const began = Date.now();
await tab.goto(pathToFileURL(page).href);
await tab.waitForFunction(() => window.viewer && window.viewer.frames.length > 0);
const openMs = Date.now() - began;

equal(await tab.evaluate(() => viewer.trace.count), expected.items, "events in the page");
equal(
  await tab.evaluate(() => viewer.trace.fate.filter((fate) => fate !== 1).length),
  expected.arrows,
  "messages in the page",
);
equal(await tab.locator("#members .choice").count(), expected.lines, "members in the list");
equal(await tab.locator("#marks .violation").count(), expected.violations, "broken properties in the list");

// ---- a filter, and back ----
const all = await tab.evaluate(() => viewer.shownCount());
const box = tab.locator("#messages input").first();
await box.uncheck();
const fewer = await tab.evaluate(() => viewer.shownCount());
check(fewer < all, `hiding the most frequent message hides nothing: ${fewer} of ${all}`);
await box.check();
equal(await tab.evaluate(() => viewer.shownCount()), all, "events after the filter was taken back");
await tab.locator("#members input").first().uncheck();
check((await tab.evaluate(() => viewer.shownCount())) < all, "hiding a member hides nothing");
await tab.locator("#members input").first().check();
await tab.keyboard.press("q");
check((await tab.evaluate(() => viewer.shownCount())) > all, "quiet steps do not show");
await tab.keyboard.press("q");

// ---- a click shows the event, its message and the state before and after ----
const item = await tab.evaluate(() => {
  const changed = (i) => viewer.trace.state[i] >= 0 && viewer.trace.arrow[i] >= 0;
  const found = [...viewer.view.shown].filter(changed);
  const i = found[Math.floor(found.length / 3)];
  viewer.select(i, true);
  return i;
});
await tab.keyboard.press("Escape");
equal(await tab.evaluate(() => viewer.view.selected), -1, "Escape leaves something selected");
await tab.waitForTimeout(60);
const point = await tab.evaluate((i) => viewer.pointOf(i), item);
await tab.mouse.click(point.x, point.y);
equal(await tab.evaluate(() => viewer.view.selected), item, "the event that was clicked");
const details = await tab.locator("#details").innerText();
const name = await tab.evaluate((i) => viewer.string(viewer.trace.name[i]), item);
check(details.includes("MESSAGE " + name), `the details do not name the message ${name}`);
check(/STATE (BEFORE|AFTER)/i.test(details), "the details do not show the state");
const state = await tab.evaluate((i) => viewer.string(viewer.trace.state[i]), item);
check(details.includes(state.split(" ")[0].split("=")[1]), "the details do not show the state's first field");
check(details.includes("on its way"), "the details do not say where the message came from");

// ---- some step changes the state, and the difference is marked ----
const changing = await tab.evaluate(() => {
  const { trace, view } = viewer,
    last = new Map();
  for (const i of view.shown) {
    const line = trace.line[i];
    if (trace.kind[i] === 6 && last.has(line) && last.get(line) !== trace.state[i]) return i;
    if (trace.kind[i] < 16) last.set(line, trace.state[i]);
  }
  return -1;
});
await tab.evaluate((i) => viewer.select(i, true), changing);
check((await tab.locator("#details tr.changed").count()) > 0, "no changed field is marked");

// ---- steps, following a message, vectors ----
const before = await tab.evaluate(() => viewer.view.selected);
await tab.keyboard.press("ArrowDown");
check((await tab.evaluate(() => viewer.view.selected)) > before, "an arrow key does not step");
await tab.keyboard.press("ArrowUp");
equal(await tab.evaluate(() => viewer.view.selected), before, "the arrow keys do not step back");
await tab.keyboard.press("Enter");
check((await tab.evaluate(() => viewer.view.selected)) < before, "Enter does not go to the sending");
await tab.keyboard.press("v");
check(
  (await tab.locator("#details").innerText()).toUpperCase().includes("VECTOR TIMESTAMP"),
  "there is no vector timestamp",
);
if (picture) {
  await tab.waitForTimeout(150);
  await tab.screenshot({ path: picture.replace(".png", "-vectors.png") });
}
await tab.keyboard.press("v");

// ---- search ----
await tab.keyboard.press("/");
await tab.keyboard.type(name);
await tab.waitForFunction(() => viewer.view.hit !== null);
check((await tab.evaluate(() => viewer.view.hits.length)) > 0, `the search does not find ${name}`);
await tab.keyboard.press("Enter");
check((await tab.locator("#matches").innerText()).includes(" of "), "Enter does not go to a match");
await tab.locator("#search").fill("");
await tab.keyboard.press("Escape");
await tab.waitForFunction(() => viewer.view.hit === null);

if (picture) {
  await tab.keyboard.press(expected.violations > 0 ? "g" : "ArrowDown");
  await tab.waitForTimeout(150);
  await tab.screenshot({ path: picture });
  await tab.keyboard.press("d");
  await tab.waitForTimeout(150);
  await tab.screenshot({ path: picture.replace(".png", "-dark.png") });
  await tab.keyboard.press("d");
  await tab.keyboard.press("0");
  await tab.waitForTimeout(150);
  await tab.screenshot({ path: picture.replace(".png", "-far.png") });
}

// ---- frames while zooming and moving: from one animation frame to the next, as a person sees them ----
async function measure(act) {
  return tab.evaluate(async (kind) => {
    const target = document.getElementById("canvas"),
      times = [];
    let last = performance.now();
    for (let i = 0; i < 90; i++) {
      const inward = i % 60 < 30;
      target.dispatchEvent(
        new WheelEvent("wheel", {
          deltaY: kind === "zoom" ? (inward ? -110 : 110) : 260,
          shiftKey: kind === "move",
          bubbles: true,
          cancelable: true,
          clientX: 700,
          clientY: 200 + (i % 7) * 60,
        }),
      );
      await new Promise((done) => requestAnimationFrame(done));
      const now = performance.now();
      times.push(now - last);
      last = now;
    }
    return times;
  }, act);
}
const frames = [];
for (const scale of ["far", "middle", "near"]) {
  await tab.keyboard.press("0");
  for (let i = 0; i < (scale === "far" ? 0 : scale === "middle" ? 6 : 14); i++) await tab.keyboard.press("+");
  for (const act of ["zoom", "move"]) {
    const times = await measure(act);
    frames.push(...times);
    console.log(
      `  ${scale} ${act}: median ${percentile(times, 0.5).toFixed(1)} ms, p95 ${percentile(times, 0.95).toFixed(1)} ms`,
    );
  }
}
const p95 = percentile(frames, 0.95);
console.log(
  `viewer_test: ${expected.items} events open in ${openMs} ms; frames: ` +
    `median ${percentile(frames, 0.5).toFixed(1)} ms, p95 ${p95.toFixed(1)} ms`,
);
if (expected.fast) {
  check(openMs < OPEN_MS_MAX, `opening took ${openMs} ms, more than ${OPEN_MS_MAX}`);
  check(p95 < FRAME_MS_P95_MAX, `the 95th percentile of frames is ${p95.toFixed(1)} ms, more than ${FRAME_MS_P95_MAX}`);
}
await browser.close();
process.exit(failures === 0 ? 0 : 1);
