// Looks at a report in Chromium: narrow and wide, light, dark and on paper.
//
//   mkdir /tmp/pw && cd /tmp/pw && npm init -y && npm install playwright-core && apt-get install -y chromium
//   NODE_PATH=/tmp/pw/node_modules node benchmarks/report_in_browser.mjs PAGE.html SHOTS
//
// Writes SHOTS/{phone,tablet,desktop}-{light,dark}.png and SHOTS/print.pdf. Fails if the page is wider than its window,
// asks for anything but itself, runs into an error, leaves text in a figure that is cut off, or text too faint to read.
import { createRequire } from "node:module";
import { mkdirSync } from "node:fs";
import { resolve } from "node:path";

const { chromium } = createRequire(process.env.NODE_PATH + "/")("playwright-core");
const [page_file, shots] = process.argv.slice(2).map((name) => resolve(name));
mkdirSync(shots, { recursive: true });
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"],
});
const problems = [];

// In the page: what is cut off or faint. Contrasts are those of WCAG 2; 4.5 is its minimum for text of this size.
function inspect() {
  const found = [];
  for (const text of document.querySelectorAll("figure .panels svg text")) {
    const [own, frame] = [text.getBoundingClientRect(), text.closest("svg").getBoundingClientRect()];
    if (own.left < frame.left - 1 || own.right > frame.right + 1 || own.bottom > frame.bottom + 1)
      found.push(`cut off: ${text.textContent}`);
  }
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (layers) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const colour of layers) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  for (const element of document.querySelectorAll("main *")) {
    const says = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!says || element.closest("style")) continue;
    const behind = [];
    for (let at = element; at; at = at.parentElement) behind.unshift(getComputedStyle(at).backgroundColor);
    const style = getComputedStyle(element);
    const ink = element.closest("svg") ? style.fill : style.color;
    const [a, b] = [light(rgb(behind)), light(rgb([...behind, ink]))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) found.push(`faint (${contrast.toFixed(2)}): ${element.textContent.trim().slice(0, 60)}`);
  }
  return [...new Set(found)];
}

for (const [name, width] of [["phone", 360], ["tablet", 800], ["desktop", 1280]]) {
  for (const colorScheme of ["light", "dark"]) {
    const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
    const say = (text) => problems.push(`${name}, ${colorScheme}: ${text}`);
    page.on("console", (message) => ["error", "warning"].includes(message.type()) && say(message.text()));
    page.on("pageerror", (error) => say(error.message));
    page.on("request", (request) => request.url().startsWith("file:") && request.url().endsWith(".html") || say(`asks for ${request.url()}`));
    await page.goto(`file://${page_file}`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    if (wide > width) say(`is ${wide} wide, its window ${width}`);
    (await page.evaluate(inspect)).forEach(say);
    await page.screenshot({ path: `${shots}/${name}-${colorScheme}.png`, fullPage: true });
    if (name === "desktop" && colorScheme === "dark")
      await page.pdf({ path: `${shots}/print.pdf`, format: "A4", margin: { top: "12mm", bottom: "12mm", left: "12mm", right: "12mm" }, printBackground: true });
    await page.close();
  }
}
await browser.close();
problems.forEach((problem) => console.error(problem));
console.log(problems.length ? `${problems.length} problems` : "no problems");
process.exit(problems.length ? 1 : 0);
