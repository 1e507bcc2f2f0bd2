import { at } from "@mbs/contracts";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { continuationRows, trueChoice } from "./continuations.ts";
import type { ContinuationRow } from "./continuations.ts";
import { heldOutFiles, heldOutPages } from "./held-out-pages.ts";
import { pairRows } from "./pairs.ts";
import type { PairRow } from "./pairs.ts";
import { controlledTexts, taskFiles } from "./task-files.ts";
import { writingOf } from "./words.ts";

const datasets = fileURLToPath(new URL("../../datasets/", import.meta.url));
const folder = join(datasets, "controlled-tasks");
const pagesOf = (text: string): readonly string[] =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => (JSON.parse(line) as { readonly page: string }).page);

test("datasets/controlled-tasks holds what the generator writes", async () => {
  const files = await taskFiles(controlledTexts);
  const remedy = "make it again: node --conditions=mbs-source --import tsx tools/controlled-tasks/generate.ts";
  for (const [path, content] of files) assert.is(await readFile(join(folder, path), "utf8"), content, `${path}: ${remedy}`);
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const there = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const paths = there.map((path) =>
    path
      .slice(folder.length + 1)
      .split(sep)
      .join("/"),
  );
  assert.equal(paths.sort(), [...files.keys(), "README.md"].sort(), remedy);
});

test("no document is of a page that calibration or validation uses", async () => {
  for (const [path, content] of await taskFiles(controlledTexts)) {
    const [, language] = /^\w+\/(.+)\.jsonl$/.exec(path) ?? [];
    if (language === undefined) continue;
    const other = new Set<string>();
    for (const set of ["calibration", "validation"]) {
      const text = await readFile(join(datasets, "controlled-texts", set, `${language}.jsonl`), "utf8");
      for (const page of pagesOf(text)) other.add(page);
    }
    const rows = pagesOf(content);
    assert.not(
      rows.some((page) => other.has(page)),
      path,
    );
    assert.ok(rows.length === 100 || ["te", "fa"].includes(language), `${path}: ${rows.length}`);
  }
});

test("a continuation is a paragraph's own, among three others, each once", async () => {
  const labels = [0, 0, 0, 0];
  for (const [language, file] of await heldOutFiles(controlledTexts.manifest)) {
    const pages = await heldOutPages(file);
    const writing = writingOf(language);
    for (const row of continuationRows(language, pages)) {
      const { paragraphs } = pages.find(({ name }) => name === row.page) ?? { paragraphs: [] };
      const joins = (choice: string): boolean =>
        paragraphs.some((paragraph) => paragraph.startsWith(`${row.context}${writing.space}${choice}`));
      assert.equal(row.choices.filter(joins), [trueChoice(row)]);
      assert.is(new Set(row.choices).size, 4);
      assert.is(new Set(row.choices.map((choice) => writing.split(choice).length)).size, 1);
      labels[row.label] = at(labels, row.label) + 1;
    }
  }
  const all = labels.reduce((sum, count) => sum + count, 0);
  for (const count of labels) assert.ok(Math.abs(count / all - 0.25) < 0.03, labels.join(", "));
});

test("a pair has the same words, in another order", async () => {
  for (const [language, file] of await heldOutFiles(controlledTexts.manifest)) {
    const { space } = writingOf(language);
    for (const { sentence, swapped } of pairRows(language, await heldOutPages(file))) {
      const [words, others] = [sentence.split(space), swapped.split(space)];
      assert.is.not(sentence, swapped);
      assert.equal([...words].sort(), [...others].sort());
      assert.is(words.filter((word, index) => word !== others[index]).length, 2);
    }
  }
});

test("rules of a small text", () => {
  const paragraphs = [
    "One two three four five six seven eight nine ten eleven twelve.",
    "a b",
    ...["p", "q", "r"].map((letter) =>
      Array.from({ length: 14 }, (_, index) => `${letter}${index} `.padEnd(8, letter)).join(" "),
    ),
  ];
  const page = { name: "page", paragraphs };
  const [first] = continuationRows("en", [page]) as [ContinuationRow];
  assert.is(first.context, "One two three four five six");
  assert.is(trueChoice(first), "seven eight nine ten eleven twelve.");
  assert.is(continuationRows("en", [{ name: "page", paragraphs: paragraphs.slice(0, 4) }]).length, 0);
  const pairs: readonly PairRow[] = pairRows("en", [
    { name: "page", paragraphs: ["Now the the 2 cats, sleep well today. Too short here. Now the the 2 cats, sleep well today."] },
  ]);
  assert.equal(pairs, [
    { sentence: "Now the the 2 cats, sleep well today.", swapped: "Now the the 2 cats, well sleep today.", page: "page" },
  ]);
});

test("words of Khmer end at zero-width spaces", () => {
  const zeroWidth = "\u200b";
  const sentence = ["ក", "ខ ", "គ", "ឃ", "ង"].join(zeroWidth);
  const pairs = pairRows("km", [{ name: "page", paragraphs: [`${sentence}។ ${zeroWidth}ច`] }]);
  assert.is(pairs.length, 1);
  const [{ swapped }] = pairs as [PairRow];
  assert.is(swapped, ["ក", "ខ ", "ឃ", "គ", "ង។"].join(zeroWidth));
});

test("tasks of another manifest have their own name, and the writing's delimiter", async () => {
  const folder = await mkdtemp(join(tmpdir(), "mbs-tasks-"));
  try {
    await writeFile(join(folder, "texts.yaml"), "languages:\n  en: en.jsonl\n  km: km.jsonl\n");
    const page = JSON.stringify({ source: "one.html", text: "One sentence of five words here." });
    for (const language of ["en", "km"]) await writeFile(join(folder, `${language}.jsonl`), `${page}\n`);
    const manifest = join(folder, "texts.yaml");
    const files = await taskFiles({ manifest, name: "help", languages: ["km"] });
    assert.match(files.get("help_continuation_km.yaml") ?? "", /^task: help_continuation_km$[^]*^target_delimiter: "\\u200b"$/m);
    assert.match(files.get("help_pairs.yaml") ?? "", /^group: help_pairs\ntask:\n  - help_pairs_km\n/m);
    try {
      await taskFiles({ manifest, name: "help", languages: ["fr"] });
      assert.unreachable();
    } catch (error) {
      assert.match(String(error), /no language fr; there are en, km/);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.run();
