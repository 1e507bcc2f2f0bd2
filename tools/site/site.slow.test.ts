import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import type { Page } from "playwright-core";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { browserPatience, findChromium, startChromium } from "../browser/chromium.ts";
import { serveFolder } from "../onnx-demo/static-server.ts";
import { findFaults } from "./check-links.ts";
import { searchOptions } from "./search.ts";
import { sitePage } from "./site-pages.ts";

const root = resolve(import.meta.dirname, "../..");
const built = join(import.meta.dirname, "dist");

/** What npm's errors are called where no registry answers. */
const unreachable = /\b(?:EAI_AGAIN|ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|ETIMEDOUT|ERR_SOCKET_TIMEOUT)\b/;

/** What is used of the library that the site searches with. */
interface MiniSearchClass {
  loadJSON(index: string, options: object): { search(words: string): readonly { readonly id: string }[] };
}

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

/** What somebody may look for, and the page that answers it. */
const questions = {
  resume: "shrink",
  "chat template": "corpora",
  "recipe example": "recipes",
  stop: "shrink",
  install: "install",
  pruning: "multilingual-pruning",
  "group size": "recipes",
  "importance matrix": "imatrix",
  gguf: "model-formats",
  s3: "stores",
  kubernetes: "clusters",
  webgpu: "graphics",
  readGgufHeader: "api/gguf",
};

/** The page that the built index has first for some words, with the options of the generator and ours. */
async function firstPages(words: readonly string[]): Promise<readonly (string | undefined)[]> {
  const chunks = join(built, "assets/chunks");
  const name = readdirSync(chunks).find((file) => file.startsWith("@localSearchIndexroot"));
  const { default: index } = (await import(join(chunks, name ?? ""))) as { readonly default: string };
  const library = createRequire(join(import.meta.dirname, "package.json")).resolve("minisearch");
  const { default: MiniSearch } = (await import(library)) as { readonly default: MiniSearchClass };
  const fields = { fields: ["title", "titles", "text"], storeFields: ["title", "titles"] };
  const loaded = MiniSearch.loadJSON(index, {
    ...fields,
    searchOptions: { fuzzy: 0.2, prefix: true, boost: { title: 4, text: 2, titles: 1 }, ...searchOptions },
  });
  return words.map((question) => /^\/(.*?)(?:\.html)?(?:#|$)/.exec(loaded.search(question)[0]?.id ?? "")?.[1]);
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
      assert.match(await search(page, address, "chat template"), /^#\s+Corpora\s+Conversations/);
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
  "the search has first the page that answers",
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

  test(titles[1], async () => {
    assert.equal(await firstPages(Object.keys(questions)), Object.values(questions));
  });

  const chromium = findChromium();
  if (chromium === undefined) process.stderr.write("docs site: one test skipped, there is no Chromium; CHROMIUM may name one\n");
  if (chromium === undefined) test.skip(titles[2]);
  else test(titles[2], () => lookInBrowser(chromium));
}

test.run();
