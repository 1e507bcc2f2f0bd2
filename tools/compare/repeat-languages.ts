/**
 * Makes every row of docs/measured/languages.json again, and then its page, plots and the README's picture: one command, which
 * goes on where it was stopped.
 *
 * usage: node --conditions=mbs-source --import tsx tools/compare/repeat-languages.ts --model gemma3-270m --output FOLDER
 *          [--python PYTHON] [--threads N]
 *   --output  a folder for texts, and one for each row; what is there and finished is not made again
 *   --python  makes the rows of "What they write" too, with tools/compare/peers/requirements.txt installed
 *
 * It takes some eight minutes of a processor a row; docs/measured/languages.md has how many rows there are.
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { allMixes, drawName, scoresFile } from "./rows.ts";
import type { Row } from "./rows.ts";
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
const numbers = fileURLToPath(new URL("../../docs/measured/languages.json", import.meta.url));
type RowChoice = Pick<Row, "method" | "mix" | "draw">;
const { found, rows, written, answers } = JSON.parse(await readFile(numbers, "utf8")) as {
  readonly found: Readonly<Record<string, number>>;
  readonly rows: readonly RowChoice[];
  readonly written: readonly RowChoice[];
  readonly answers: { readonly rows: readonly RowChoice[] };
};
const nameOf = (row: RowChoice): string => `${row.method} ${drawName(row)}`;

/** Runs another script of this folder. */
const script = (name: string, args: readonly string[]): string =>
  start(process.execPath, [...process.execArgv, fileURLToPath(new URL(name, import.meta.url)), ...args]);
const options = ["--model", resolve(model), "--texts", texts, "--output", resolve(output), "--threads", threads];

if (!existsSync(join(texts, "shares.json"))) script("texts.ts", ["--output", texts, "--languages", "12"]);
const choosesPages = rows.some(({ mix }) => allMixes[mix]?.pages !== undefined);
if (choosesPages && !existsSync(join(texts, "chosen-uncovered.yaml"))) {
  script("choose-texts.ts", ["--model", resolve(model), "--texts", texts]);
}
const mixOfFound = `weights:${Object.entries(found)
  .map(([language, share]) => `${language}=${share}`)
  .join(",")}`;
for (const [index, row] of rows.entries()) {
  if (existsSync(join(output, scoresFile(nameOf(row))))) continue;
  process.stderr.write(`compare: row ${index + 1} of ${rows.length}, ${nameOf(row)}\n`);
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
script("answers.ts", [...options, "--rows", answers.rows.map(nameOf).join(",")]);
if (python !== undefined) script("written.ts", [...options, "--python", python, "--rows", written.map(nameOf).join(",")]);
script("languages-page.ts", ["--output", resolve(output)]);
script("front-picture.ts", []);
