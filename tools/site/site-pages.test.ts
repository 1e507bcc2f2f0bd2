import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { findFaults } from "./check-links.ts";
import { guides, packages } from "./sidebar.ts";
import { siteLink, sitePage, webAddress } from "./site-pages.ts";

const test = suite<{ folder: string }>("docs site");

test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), "mbs-site-"));
});

test.after.each(({ folder }) => rmSync(folder, { recursive: true }));

function write(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

test("links lead to pages of the site, files of the repository, or nowhere", () => {
  const at = "https://example.org/mbs";
  const page = "docs/measured/vocabulary.md";
  assert.is(siteLink(page, "../tasks.md#a-heading", at), "/tasks.md#a-heading");
  assert.is(siteLink(page, "../README.md", at), "/documentation.md");
  assert.is(siteLink(page, "../../README.md", at), "/index.md");
  assert.is(siteLink(page, "../../SECURITY.md", ""), "/security.md");
  assert.is(siteLink(page, "#here", ""), "#here");
  assert.is(siteLink(page, "https://example.com/a#b", ""), "https://example.com/a#b");
  assert.is(siteLink(page, "../../packages/gguf/src/index.ts", at), `${at}/blob/main/packages/gguf/src/index.ts`);
  assert.is(siteLink(page, "../../packages/gguf/README.md#a", at), `${at}/blob/main/packages/gguf/README.md#a`);
  assert.is(siteLink(page, "../../packages/gguf/src/index.ts", ""), undefined);
  const ofLibrary = "tools/site/generated/api/gguf.md";
  assert.is(siteLink(ofLibrary, "contracts.md#stage", ""), "/api/contracts.md#stage");
  assert.is(siteLink(ofLibrary, "/docs/tasks.md", ""), "/tasks.md");
  assert.is(sitePage("tools/site/generated/api/README.md"), "api/index.md");
  assert.is(sitePage("tools/site/README.md"), undefined);
});

test("the repository's address is read as package.json may write it", () => {
  assert.is(webAddress(undefined), "");
  assert.is(webAddress("github:org/mbs"), "https://github.com/org/mbs");
  assert.is(webAddress({ url: "git+https://example.org/org/mbs.git" }), "https://example.org/org/mbs");
});

test("the sidebar has the sections of docs/README.md, and below a page those of its folder", ({ folder }) => {
  const index = [
    "# Documentation",
    "## Use it",
    "| page | what it answers |",
    "|---|---|",
    "| [One](vocabulary.md), [two](studies.md) | all; then [figures](measured/vocabulary.md), [here](vocabulary.md#words), [code](../a.ts) |",
    "## Change it",
    "| [Contributing](../CONTRIBUTING.md) | rules |",
  ].join("\n");
  write(folder, {
    "docs/README.md": index,
    "docs/measured/vocabulary.md": "# One: `mbs` measured\n",
    "docs/studies/pairs.md": "# More\n",
    "tools/site/generated/api/README.md": "# Library\n",
    "tools/site/generated/api/gguf.md": "# @mbs/gguf\n",
  });
  assert.equal(guides(folder), [
    {
      text: "Use it",
      items: [
        {
          text: "One",
          link: "/vocabulary",
          collapsed: true,
          items: [{ text: "One: mbs measured", link: "/measured/vocabulary" }],
        },
        { text: "Two", link: "/studies", collapsed: true, items: [{ text: "More", link: "/studies/pairs" }] },
      ],
    },
    { text: "Change it", items: [{ text: "Contributing", link: "/contributing" }] },
  ]);
  assert.equal(packages(folder), [{ text: "Library", items: [{ text: "@mbs/gguf", link: "/api/gguf" }] }]);
});

test("dead links and anchors of a built site are found, and what it fetches from elsewhere", ({ folder }) => {
  write(folder, {
    "index.html":
      '<p id="top"></p><a href="/a/b.html#x">1</a><a href="#top">2</a><a href="https://example.org/">3</a><img src="a/c.svg">',
    "a/b.html": '<h1 id="x"></h1><a href="../index.html">1</a><a href="/">2</a><a href="mailto:a@example.org">3</a>',
    "a/c.svg": "<svg/>",
    "style.css": "a { background: url(data:image/png;base64,AA) }",
  });
  assert.equal(findFaults(folder), []);
  write(folder, {
    "a/b.html":
      '<a href="c.html">1</a><a href="/index.html#x">2</a><a href="/">3</a><script src="https://example.org/a.js"></script>',
    "style.css": '@import "//example.org/a.css";',
  });
  assert.equal(findFaults(folder), [
    "a/b.html: leads to c.html, which is not there",
    "a/b.html: leads to /index.html#x; index.html has no such anchor",
    "a/b.html: fetches https://example.org/a.js from another place",
    "index.html: leads to /a/b.html#x; a/b.html has no such anchor",
    "style.css: fetches //example.org/a.css from another place",
  ]);
});

test.run();
