import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { findLongParagraphs, longestParagraph, paragraphsOf } from "./paragraphs.ts";

test("lines that follow each other are a paragraph, and so is each item of a list", () => {
  const page = [
    "# Heading",
    "one",
    "two",
    "",
    "before a list",
    "- item",
    "  goes on",
    "  1. inner",
    "",
    "| table | row |",
    "```",
    "code",
    "",
    "code",
    "```",
    "<!-- comment -->",
    "last",
  ];
  assert.equal(paragraphsOf(page.join("\n")), [
    { line: 2, text: "one two" },
    { line: 5, text: "before a list" },
    { line: 6, text: "- item goes on" },
    { line: 8, text: "1. inner" },
    { line: 17, text: "last" },
  ]);
});

test("a paragraph above the limit is named with its page and line", () => {
  const root = mkdtempSync(join(tmpdir(), "mbs-paragraphs-"));
  try {
    const longest = "x".repeat(longestParagraph);
    writeFileSync(join(root, "page.md"), `# Page\n\n${longest}\n\n${longest}\ny\n`);
    const found = findLongParagraphs(root);
    assert.is(found.length, 1);
    assert.match(found.join(), /^page\.md:5: a paragraph of 602 characters/);
  } finally {
    rmSync(root, { recursive: true });
  }
});

test.run();
