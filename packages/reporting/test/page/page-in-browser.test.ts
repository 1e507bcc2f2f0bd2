import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { encodeDamage } from "@mbs/artifacts";
import type { Browser, Page } from "playwright-core";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { browserPatience, findChromium, startChromium } from "../../../../tools/browser/chromium.ts";
import { buildReport } from "../../src/build-report.ts";
import { formatPage } from "../../src/page/page.ts";
import { controlledResults } from "../controlled-results.ts";
import { makeDamage } from "../made-records.ts";

const test = suite("page in a browser");
const chromium = findChromium();
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let folder = "";
let browser: Browser | undefined;
let sections: { title: string; plots: number }[] = [];

/** A phone and a desk, in pixels. */
const widths = [360, 1100];

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), "mbs-page-"));
  const lossRises = { en: 0.1, fr: 0.2, mr: 0.3, te: 0.9 };
  const damage = encodeDamage(makeDamage(), { model: "", solver: "gptq", scored: "small", lossRises });
  const page = await buildReport([...(await controlledResults()), { name: "damage", stream: damage }], {
    recipe: { name: "recipe.yaml", text: `model: ${"a-long-name/".repeat(20)}\n` },
  });
  sections = page.sections.map(({ title, plots = [] }) => ({ title, plots: plots.length }));
  await writeFile(join(folder, "report.html"), formatPage(page));
  browser = await startChromium(chromium ?? "");
});

test.after(async () => {
  await browser?.close();
  await rm(folder, { recursive: true, force: true });
});

interface Opened {
  readonly page: Page;
  /** Messages of the page, and what it asked for beyond itself. */
  readonly complaints: readonly string[];
}

async function open(width: number, colorScheme: "light" | "dark"): Promise<Opened> {
  const page = await (browser as Browser).newPage({ viewport: { width, height: 800 }, colorScheme });
  const complaints: string[] = [];
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("request", (request) => {
    if (!request.url().endsWith("/report.html")) complaints.push(request.url());
  });
  await page.goto(pathToFileURL(join(folder, "report.html")).href, { timeout: browserPatience });
  await page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true");
  return { page, complaints };
}

test("shows every section with its picture and table, asks for nothing and says nothing", async () => {
  const { page, complaints } = await open(1100, "light");
  assert.equal(
    await page.locator("main h2").allTextContents(),
    sections.map(({ title }) => title),
  );
  assert.equal(
    await page.locator("main section").evaluateAll((all) => all.map((one) => one.querySelectorAll("svg").length)),
    sections.map(({ plots }) => plots),
  );
  const bare = await page.locator("section:has(svg):not(:has(table))").count();
  assert.is(bare, 0, "a table behind each picture");
  for (const svg of await page.locator("svg").all()) {
    const box = await svg.boundingBox();
    assert.ok(box !== null && box.width > 150 && box.height > 60, JSON.stringify(box));
  }
  assert.equal(complaints, []);
  await page.close();
});

test("fits a phone and a desk: nothing but boxes of their own scrolls sideways, and text in pictures stays legible", async () => {
  for (const width of widths) {
    const { page } = await open(width, "light");
    const overflow = await page.evaluate<number>("document.documentElement.scrollWidth - document.documentElement.clientWidth");
    assert.is(overflow, 0, `${width} pixels`);
    const smallest = await page.evaluate<number>(`Math.min(...[...document.querySelectorAll("svg")].flatMap((svg) => {
      const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
      return [...svg.querySelectorAll("text")].map((text) => scale * parseFloat(getComputedStyle(text).fontSize));
    }))`);
    assert.ok(smallest >= 8, `text of ${smallest} pixels at ${width}`);
    await page.close();
  }
});

test("on a desk rises stand beside their picture", async () => {
  const { page } = await open(1280, "light");
  const tops = await page.evaluate<number[]>(`[...document.querySelectorAll("#rises .shown > *")]
    .map((one) => Math.round(one.getBoundingClientRect().top))`);
  assert.is(tops.length, 2);
  assert.is(tops[0], tops[1]);
  await page.close();
});

test("a desk shows whole tables, and long commands break into lines", async () => {
  const { page } = await open(1280, "light");
  const hidden = await page.evaluate<string[]>(`[...document.querySelectorAll(".scroll:has(table), pre")]
    .filter((box) => box.scrollWidth > box.clientWidth + 1).map((box) => box.textContent.trim().slice(0, 60))`);
  assert.equal(hidden, []);
  await page.close();
});

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}

test("passes axe's rules for accessibility, on a phone in the light and on a desk in the dark", async () => {
  for (const [index, width] of widths.entries()) {
    const scheme = index === 0 ? "light" : "dark";
    const { page } = await open(width, scheme);
    await page.evaluate(axe);
    const { violations, passes } = await page.evaluate<{ violations: Violation[]; passes: Violation[] }>("axe.run()");
    const found = violations.map(({ id, nodes: [node] }) => `${id}: ${node?.html.slice(0, 120)} ${node?.failureSummary}`);
    assert.equal(found, [], `${width} ${scheme}`);
    // on a desk nothing scrolls
    const rules = ["color-contrast", "svg-img-alt", "heading-order", ...(index === 0 ? ["scrollable-region-focusable"] : [])];
    for (const rule of rules)
      assert.ok(
        passes.some(({ id }) => id === rule),
        `${rule} was looked at`,
      );
    await page.close();
  }
});

const colour = async (scheme: "light" | "dark"): Promise<string> => {
  const { page } = await open(1100, scheme);
  const found = await page.evaluate<string>("getComputedStyle(document.querySelector('svg text')).fill");
  await page.close();
  return found;
};

test("pictures take the page's colours in the dark", async () => {
  assert.is(await colour("light"), "rgb(28, 33, 38)");
  assert.is(await colour("dark"), "rgb(230, 233, 236)");
});

if (chromium === undefined) {
  process.stderr.write("page in a browser: skipped, there is no Chromium; install one, or name it in CHROMIUM\n");
  const skipped = suite("page in a browser");
  skipped.skip("no Chromium");
  skipped.run();
} else {
  test.run();
}
