import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { findDeadLinks, linkTargets, pagesNamed } from "./links.ts";

test("links to files and headings are found, those to the network are not", () => {
  const text = "[a](b.md#c) ![d](e.svg) [f](https://example.org) [g](#h)";
  assert.equal(linkTargets(text), ["b.md#c", "e.svg", "#h"]);
});

test("pages of docs/ are found in a message, but not in the address of another project", () => {
  const text = 'throw new Error("see docs/a.md#b and docs/c/d.md."); // https://example.org/docs/e.md, ../docs/f.md';
  assert.equal(pagesNamed(text), ["docs/a.md#b", "docs/c/d.md"]);
});

test("a link, a heading and a page in a message that are not there are named with the page that leads to them", () => {
  const root = mkdtempSync(join(tmpdir(), "mbs-links-"));
  try {
    const write = (path: string, text: string) => {
      mkdirSync(join(root, path, ".."), { recursive: true });
      writeFileSync(join(root, path), text);
    };
    write(
      "docs/deep/a.md",
      "# One two\n[b](../b.md#three) [up](#one-two) [gone](c.md) [no heading](../b.md#four) [here](#five)\n",
    );
    write("docs/b.md", "## Three\n");
    write("packages/x/src/x.ts", '// docs/b.md#three\nthrow new Error("see docs/gone.md");\n');
    assert.equal(findDeadLinks(root), [
      "docs/deep/a.md: leads to c.md, which is not there",
      "docs/deep/a.md: leads to ../b.md#four; docs/b.md has no such heading",
      "docs/deep/a.md: leads to #five; docs/deep/a.md has no such heading",
      "packages/x/src/x.ts: leads to docs/gone.md, which is not there",
    ]);
  } finally {
    rmSync(root, { recursive: true });
  }
});

test.run();
