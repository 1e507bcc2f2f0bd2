import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { VocabularyReport } from "@mbs/trimming";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { vocabularyTable } from "../../src/results/vocabulary-table.ts";
import { runMbs } from "../fixtures/run-mbs.ts";

const model = fileURLToPath(new URL("../../../../datasets/controlled-llama", import.meta.url));

const vocabulary = suite<{ folder: string; corpus: string }>("mbs vocabulary");
vocabulary.before(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), "mbs-vocabulary-"));
  context.corpus = join(context.folder, "texts");
  await mkdir(context.corpus);
  const texts = {
    de: ["Öffnen Sie die Einstellungen."],
    en: ["Open the settings of the system.", "Close the window."],
    ja: ["設定を開きます。"],
    sv: [""],
  };
  for (const [language, own] of Object.entries(texts)) {
    await writeFile(join(context.corpus, `${language}.jsonl`), own.map((text) => `${JSON.stringify({ text })}\n`).join(""));
  }
});
vocabulary.after(({ folder }) => rm(folder, { recursive: true }));

vocabulary("JSON and table say what trim then writes", async ({ folder, corpus }) => {
  const choice = ["--model", model, "--corpus", corpus, "--keep", "en"];
  const { code, stdout, stderr } = await runMbs(["vocabulary", ...choice, "--held-out", corpus, "--json"]);
  assert.is(code, 0, stderr);
  const report = JSON.parse(stdout.toString()) as VocabularyReport;
  assert.equal(
    report.languages.map(({ language, isKept, trimmed }) => [language, isKept, (trimmed?.moreTokens ?? NaN) > 0]),
    [
      ["de", false, true],
      ["en", true, false],
      ["ja", false, true],
      ["sv", false, false],
    ],
  );
  const written = await runMbs(["trim", ...choice, "--output", join(folder, "trimmed")]);
  assert.is(written.code, 0, written.stderr);
  assert.match(written.stderr, `${report.trimmed?.rows} of 4096 rows are kept for en: `);

  assert.not.match(stdout.toString(), "null");
  const table = vocabularyTable(report);
  assert.match(table, /^language +kept +text +rows +its own +bytes a token +tokens +of kept rows\n/);
  assert.match(table, /^en +yes .* → .* \+0\.0% +100%$/m);
  assert.match(table, /^sv +no +0 bytes +0 +0 +no text +– +–$/m);
  assert.match(table, /^sv +no +0 +no text +–$/m);
  assert.match(table, /^embedding +2\.10 MB +[\d.]+ kB$/m);
  assert.match(table, /^head +the embedding$/m);
  assert.match(table, /^Held-out texts, /m);
  assert.match(
    table.replaceAll(/\s+/g, " "),
    "2 of the 2 texts of kept languages in the corpus are the same tokens as before. 2 of the 2 held-out texts of kept languages are the same tokens as before. All texts, also of",
  );
  const [first] = report.heldOut?.languages ?? [];
  const few = [0.0004, 0.00001].map((moreTokens) => ({ ...first, trimmed: { ...first?.trimmed, moreTokens } }));
  const close = vocabularyTable({ ...report, heldOut: { corpus, languages: few } } as VocabularyReport);
  assert.match(close, /^de .* \+0\.04%\nde .* < 0\.01%$/m);
  for (const line of table.split("\n")) assert.ok(line.length <= 80, line);
});

vocabulary("a table without a choice, and faulty options", async ({ corpus }) => {
  const base = ["vocabulary", "--model", model, "--corpus", corpus];
  const plain = await runMbs([...base, "--quiet"]);
  assert.equal([plain.stderr, plain.code], ["", 0]);
  assert.match(plain.stdout.toString(), /^language +text +rows +its own +bytes a token\n/);
  assert.match(plain.stdout.toString(), /^sv +0 bytes +0 +0 +no text$/m);
  assert.match(plain.stdout.toString(), "The vocabulary has 4,096 rows; name languages with --keep");
  const held = await runMbs([...base, "--held-out", corpus]);
  assert.equal([held.code, held.stderr.includes("--held-out shows what its texts lose with --keep")], [2, true]);
  const missing = await runMbs([...base, "--keep", "fr"]);
  assert.equal([missing.code, missing.stderr.includes("has no texts of fr, but of de, en, ja, sv")], [2, true]);
});

vocabulary.run();
