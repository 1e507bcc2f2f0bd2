import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Page } from "playwright-core";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { browserPatience, findChromium, startChromium } from "../browser/chromium.ts";
import { serveFolder } from "../onnx-demo/static-server.ts";
import { findFaults } from "./check-links.ts";
import { sitePage } from "./site-pages.ts";

const root = resolve(import.meta.dirname, "../..");
const built = join(import.meta.dirname, "dist");

/** What npm's errors are called where no registry answers. */
const unreachable = /\b(?:EAI_AGAIN|ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|ETIMEDOUT|ERR_SOCKET_TIMEOUT)\b/;

const npm = (...words: string[]): { status: number | null; output: string } => {
  const { status, stdout, stderr } = spawnSync("npm", words, { cwd: import.meta.dirname, encoding: "utf8" });
  return { status, output: stdout + stderr };
};

/** Pages of a set that cover what differs: the front page, wide tables, long lines of code, the library. */
const looked = ["index", "documentation", "model-formats", "recipes", "studies/pairs", "api/index", "api/models"];

/** Pages that are wider than the window: what is too wide has to scroll by itself. */
async function tooWide(page: Page, address: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of looked) {
    await page.goto(`${address}${name}.html`);
    const width = await page.evaluate("document.documentElement.scrollWidth - window.innerWidth");
    if (Number(width) > 0) found.push(`${name} by ${String(width)} pixels`);
  }
  return found;
}

/** Titles that the search of the site finds. */
async function search(page: Page, address: string, words: string): Promise<string> {
  await page.goto(`${address}index.html`);
  await page.getByRole("button", { name: "Search" }).first().click();
  await page.locator("#localsearch-input").fill(words);
  await page.locator("#localsearch-list .result").first().waitFor();
  return page.locator("#localsearch-list").innerText();
}

async function lookInBrowser(chromium: string): Promise<void> {
  const { address, server } = await serveFolder(built, 0);
  const browser = await startChromium(chromium);
  try {
    for (const viewport of [
      { width: 1280, height: 800 },
      { width: 390, height: 844 },
    ]) {
      const page = await browser.newPage({ viewport });
      page.setDefaultTimeout(browserPatience);
      const faults: string[] = [];
      page.on("request", (request) => {
        if (!request.url().startsWith(address) && !request.url().startsWith("data:")) faults.push(`asks for ${request.url()}`);
      });
      page.on("pageerror", (error) => faults.push(error.message));
      assert.equal(await tooWide(page, address), []);
      assert.match(await search(page, address, "calibration weights"), /Calibration weights/);
      assert.match(await search(page, address, "readGgufHeader"), /@mbs\/gguf/);
      assert.equal(faults, []);
      await page.close();
    }
  } finally {
    await browser.close();
    server.close();
  }
}

const titles = [
  "every page of docs/ is built and in the sidebar, and all links and anchors lead somewhere",
  "in Chromium, narrow and wide, nothing is too wide, the search finds guides and functions, and nothing comes from elsewhere",
] as const;

const installed = npm("ci", "--prefer-offline");
if (installed.status !== 0 && unreachable.test(installed.output)) {
  process.stderr.write("docs site: skipped, npm reaches no registry to install the generator from\n");
  for (const title of titles) test.skip(title);
} else {
  test(titles[0], () => {
    assert.is(installed.status, 0, installed.output);
    const run = npm("run", "build");
    assert.is(run.status, 0, run.output);
    assert.equal(findFaults(built), []);
    const front = readFileSync(join(built, "index.html"), "utf8");
    const pages = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".md") && path !== "README.md")
      .flatMap((path) => sitePage(`docs/${path}`)?.replace(/\.md$/, ".html") ?? []);
    assert.ok(pages.length > 0);
    assert.equal(
      pages.filter((page) => !existsSync(join(built, page)) || !front.includes(`href="/${page}"`)),
      [],
    );
  });

  const chromium = findChromium();
  if (chromium === undefined) process.stderr.write("docs site: one test skipped, there is no Chromium; CHROMIUM may name one\n");
  if (chromium === undefined) test.skip(titles[1]);
  else test(titles[1], () => lookInBrowser(chromium));
}

test.run();
