/**
 * Makes every row of docs/measured/languages.json again, and then its page, plots and the README's picture: one command, which
 * goes on where it was stopped.
 *
 * usage: node --conditions=mbs-source --import tsx tools/compare/repeat-languages.ts --model gemma3-270m --output FOLDER
 *          [--python PYTHON] [--threads N]
 *   --output  a folder for texts, and one for each row; what is there and finished is not made again
 *   --python  makes the rows of "What they write" too, with tools/compare/peers/requirements.txt installed
 *
 * It needs `npm run build`, and some eight minutes of a processor a row. The mixes of "found" are those of the page: the model and
 * the scores that they were found from are not made again.
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { formatLanguageMix } from "@mbs/contracts";
import { readLanguagesNumbers } from "./languages-numbers.ts";
import { allMixes, rowName, scoresFile } from "./rows.ts";
import { start } from "./start.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    output: { type: "string" },
    python: { type: "string" },
    threads: { type: "string", default: "1" },
  },
});
const { model, output, python, threads } = values;
if (model === undefined || output === undefined) {
  throw new Error("usage: repeat-languages.ts --model M --output FOLDER [--python PYTHON] [--threads N]");
}
const texts = resolve(output, "texts");
const { found, rows, damage, written, answers } = await readLanguagesNumbers();

/** Runs another script of this folder. */
const script = (name: string, args: readonly string[]): string =>
  start(process.execPath, [...process.execArgv, fileURLToPath(new URL(name, import.meta.url)), ...args]);
const options = ["--model", resolve(model), "--texts", texts, "--output", resolve(output), "--threads", threads];

if (!existsSync(join(texts, "shares.json"))) script("texts.ts", ["--output", texts, "--languages", "12"]);
const choosesPages = rows.some(({ mix }) => allMixes[mix]?.pages !== undefined);
if (choosesPages && !existsSync(join(texts, "chosen-uncovered.yaml"))) {
  script("choose-texts.ts", ["--model", resolve(model), "--texts", texts]);
}
const mixOfFound = `weights:${formatLanguageMix(new Map(Object.entries(found)))}`;
for (const [index, row] of rows.entries()) {
  if (existsSync(join(output, scoresFile(rowName(row))))) continue;
  process.stderr.write(`compare: row ${index + 1} of ${rows.length}, ${rowName(row)}\n`);
  const draws = ["--first-draw", String(row.draw), "--draws", String(row.draw + 1)];
  script("run.ts", [
    ...options,
    "--size",
    "twelve",
    "--methods",
    row.method,
    "--mixes",
    row.mix,
    "--found",
    mixOfFound,
    ...draws,
  ]);
}
if (damage.length > 0) script("damage.ts", [...options, "--rows", damage.map(rowName).join(",")]);
if (answers.rows.length > 0) script("answers.ts", [...options, "--rows", answers.rows.map(rowName).join(",")]);
if (python !== undefined && written.length > 0)
  script("written.ts", [...options, "--python", python, "--rows", written.map(rowName).join(",")]);
script("languages-page.ts", ["--output", resolve(output)]);
script("front-picture.ts", []);
