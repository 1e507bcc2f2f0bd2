/**
 * Makes every row of docs/measured/languages.json and languages-pages.json again, and then their page, plots and the README's picture:
 * one command, which goes on where it was stopped.
 *
 * usage: node --conditions=mbs-source --import tsx tools/compare/repeat-languages.ts --model gemma3-270m --output FOLDER
 *          [--smollm2 MODEL.gguf] [--python PYTHON] [--threads N]
 *   --output  a folder for texts and other-texts, one for each row, and pages, with the rows on other pages; what is there and finished is not made again
 *   --smollm2  makes the rows of SmolLM2 too, in the folder smollm2 of the output: tools/real-models/fetch.ts smollm2-135m
 *   --python  makes the rows of "What they write" and of the model's own text too, with tools/compare/peers/requirements.txt installed
 *
 * It needs `npm run build`, and some eight minutes of a processor a row. The mixes that `mbs mix` found are those of the page: the
 * model and the scores that they were found from are not made again.
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { readLanguagesNumbers } from "./languages-numbers.ts";
import type { LanguagesNumbers } from "./languages-numbers.ts";
import { scoresFile } from "./row-files.ts";
import { allMixes, rowName } from "./rows.ts";
import type { RowKey } from "./rows.ts";
import { start } from "./start.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    smollm2: { type: "string" },
    output: { type: "string" },
    python: { type: "string" },
    threads: { type: "string", default: "1" },
  },
});
const { model, smollm2, output, python, threads } = values;
if (model === undefined || output === undefined) {
  throw new Error("usage: repeat-languages.ts --model M --output FOLDER [--smollm2 MODEL] [--python PYTHON] [--threads N]");
}
const folder = resolve(output);
const texts = join(folder, "texts");

/** Runs another script of this folder. */
const script = (name: string, args: readonly string[]): string =>
  start(process.execPath, [...process.execArgv, fileURLToPath(new URL(name, import.meta.url)), ...args]);

/** Options of the scripts that make rows of a model in a folder. */
const optionsOf = (path: string, folder: string, from = texts): readonly string[] => [
  "--model",
  resolve(path),
  "--texts",
  from,
  "--output",
  resolve(folder),
  "--threads",
  threads,
];

/** Makes the rows of a model that are not there yet. */
function makeRows(options: readonly string[], folder: string, { rows }: LanguagesNumbers, size = "twelve"): void {
  for (const [index, row] of rows.entries()) {
    if (existsSync(join(folder, scoresFile(rowName(row))))) continue;
    const pages = allMixes[row.mix]?.pages;
    if (pages !== undefined && !existsSync(join(texts, `chosen-${pages}.yaml`))) {
      process.stderr.write(`compare: ${rowName(row)} needs pages that are written with --python\n`);
      continue;
    }
    process.stderr.write(`compare: row ${index + 1} of ${rows.length}, ${rowName(row)}\n`);
    const draws = ["--first-draw", String(row.draw), "--draws", String(row.draw + 1)];
    const chosen = ["--size", size, "--methods", row.method, "--mixes", row.mix];
    script("run.ts", [...options, ...chosen, ...draws]);
  }
}

const numbers = await readLanguagesNumbers("gemma");
const options = optionsOf(model, output);
if (!existsSync(join(texts, "shares.json"))) script("texts.ts", ["--output", texts, "--languages", "12"]);
if (!existsSync(join(texts, "chosen-uncovered.yaml"))) script("choose-texts.ts", ["--model", resolve(model), "--texts", texts]);
if (python !== undefined && !existsSync(join(texts, "chosen-own.yaml"))) {
  start(python, [fileURLToPath(new URL("peers/own_texts.py", import.meta.url)), texts, resolve(model), "--threads", threads]);
}
makeRows(options, output, numbers);
/** Looks at rows that were made with a script. */
function lookAt(name: string, looked: readonly RowKey[], more: readonly string[] = []): void {
  const made = looked.map(rowName).filter((row) => existsSync(join(folder, scoresFile(row))));
  if (made.length > 0) script(name, [...options, ...more, "--rows", made.join(",")]);
}
lookAt("damage.ts", numbers.damage);
lookAt("answers.ts", numbers.answers.rows);
if (python !== undefined) lookAt("written.ts", numbers.written, ["--python", python]);
script("languages-page.ts", ["--output", resolve(output)]);
const [pages, otherTexts] = [join(output, "pages"), resolve(output, "other-texts")];
if (!existsSync(otherTexts)) script("other-pages.ts", ["--model", resolve(model), "--texts", texts, "--output", otherTexts]);
makeRows(optionsOf(model, pages, otherTexts), pages, await readLanguagesNumbers("gemma-pages"), "pages");
script("languages-page.ts", ["--output", resolve(pages)]);
if (smollm2 !== undefined) {
  const folder = join(output, "smollm2");
  makeRows(optionsOf(smollm2, folder), folder, await readLanguagesNumbers("smollm2"));
  script("languages-page.ts", ["--output", resolve(folder)]);
}
script("front-picture.ts", []);
