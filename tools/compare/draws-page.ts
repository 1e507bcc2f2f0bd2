/**
 * Writes the tables of several draws, of GGUF files and of blocks of floats into docs/measured/real-models.md, and its numbers into docs/measured/real-models/draws.json.
 *
 * usage: node --conditions=mbs-source --import tsx tools/compare/draws-page.ts --output FOLDER --model NAME
 *   --output  what tools/compare/run.ts --draws N has made; rows that are not there stay as they are committed
 *   --model   the name of the model in the table: gemma3-270m, smollm2-135m
 */
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { replaceBlocks } from "../pages/blocks.ts";
import { risesOf } from "./draws.ts";
import type { DrawnRow } from "./draws.ts";
import { readRowScores, readSpent, scoresFile } from "./row-files.ts";
import { methodGroups, methods, mostDraws, peers, replaceRows, rowsOf } from "./rows.ts";
import { drawsTable, filesTable, floatsTable } from "./tables.ts";

const { values } = parseArgs({ options: { output: { type: "string" }, model: { type: "string" } } });
const { output: folder, model } = values;
if (folder === undefined || model === undefined) throw new Error("usage: draws-page.ts --output FOLDER --model NAME");
const root = fileURLToPath(new URL("../../", import.meta.url));
const numbersPath = join(root, "docs/measured/real-models/draws.json");

const dense = await readRowScores(folder, "dense");
const spent = await readSpent(folder);
const { gguf = [], floats = [] } = methodGroups;
const shown = [...Object.keys(methods), ...Object.keys(peers), ...gguf, ...floats];
const made: DrawnRow[] = [];
for (const { name, method, mix, draw } of rowsOf(shown, ["proportional"], mostDraws)) {
  if (!existsSync(join(folder, scoresFile(name)))) continue;
  const took = spent.get(name);
  made.push({
    method,
    mix,
    draw,
    rises: risesOf(dense, await readRowScores(folder, name)),
    ...(took !== undefined && { spent: took }),
  });
}
const committed = existsSync(numbersPath)
  ? (JSON.parse(await readFile(numbersPath, "utf8")) as Readonly<Record<string, readonly DrawnRow[]>>)
  : {};
const all = { ...committed, [model]: replaceRows(committed[model] ?? [], made) };
const lines = Object.entries(all).map(
  ([name, rows]) => `${JSON.stringify(name)}: [\n${rows.map((row) => JSON.stringify(row)).join(",\n")}\n]`,
);
await writeFile(numbersPath, `{\n${lines.join(",\n")}\n}\n`);
const page = join(root, "docs/measured/real-models.md");
const blocks = { draws: drawsTable(all), files: filesTable(all), floats: floatsTable(all) };
await writeFile(page, replaceBlocks(await readFile(page, "utf8"), "compare", blocks));
process.stderr.write(`compare: ${made.length} rows of ${model}\n`);
