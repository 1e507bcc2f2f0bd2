/**
 * Writes tables, picture and numbers of a comparison into the documentation.
 *
 * usage: node --conditions=mbs-source --import tsx tools/compare/page.ts --output FOLDER [--name NAME] [--add] [--shares FILE]
 *   --output  what tools/compare/run.ts has made; rows that are not there yet are left out
 *   --name    of a further model: its blocks are NAME-TABLE, its numbers comparison-NAME.json; the picture is of the first alone
 *   --add     keeps the committed rows that the folder does not have. What needs scores of several rows, window by window
 *             (one mix or program against another, correlations, the picture), stays as it is
 *   --shares  distribution with the shares of the training mixture, by which averages are weighted; without it those of languages.ts
 *
 * Replaces what stands between `<!-- compare NAME -->` and `<!-- end -->` in docs/measured/real-models.md, docs/measured/quantisers.md and
 * docs/real-models.md, and writes docs/measured/real-models/. The text around the tables is written by hand.
 */
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { collect, openArtifact, readSimilarities } from "@mbs/artifacts";
import { summarise } from "@mbs/evaluation";
import { parseSite, similarityMatrix } from "@mbs/reporting";
import type { SimilarityMatrix } from "@mbs/reporting";
import { replaceBlocks } from "../pages/blocks.ts";
import { assumedShares, compareRows, lossesAgainst } from "./comparison.ts";
import type { ComparedRow, Shares } from "./comparison.ts";
import { formatNumbers, parseNumbers, sameNumbers } from "./numbers.ts";
import { plotRows } from "./plot.ts";
import { readRowScores, readSpent, scoresFile } from "./row-files.ts";
import { gptqOptions, methods, optionTables, peers, rowsOf } from "./rows.ts";
import {
  averagesTable,
  duelsTable,
  languagesTable,
  optionsTable,
  plannedDuels,
  settingsTable,
  summaryTable,
  tendenciesTable,
} from "./tables.ts";
import type { Duel } from "./tables.ts";

const { values } = parseArgs({
  options: {
    output: { type: "string" },
    name: { type: "string" },
    add: { type: "boolean" },
    shares: { type: "string" },
  },
});
if (values.output === undefined) throw new Error("usage: page.ts --output FOLDER [--name NAME] [--add] [--shares FILE]");
const { output: folder, name: modelName, add = false } = values;
const root = fileURLToPath(new URL("../../", import.meta.url));

const shares =
  values.shares === undefined
    ? assumedShares
    : (JSON.parse(await readFile(values.shares, "utf8")) as { readonly shares: Shares }).shares;
const numbersFile = modelName === undefined ? "comparison.json" : `comparison-${modelName}.json`;
const numbersPath = join(root, "docs/measured/real-models", numbersFile);
const everyRow = rowsOf([...Object.keys(methods), ...Object.keys(gptqOptions), ...Object.keys(peers)]);
const rows = everyRow.filter(({ name }) => existsSync(join(folder, scoresFile(name))));
const denseScores = await readRowScores(folder, "dense");
const scores = [...denseScores, ...(await Promise.all(rows.map(({ name }) => readRowScores(folder, name)))).flat()];
const measured = new Map(summarise(denseScores).map(({ language, perplexity }) => [language, perplexity]));
const committed = add ? parseNumbers(await readFile(numbersPath, "utf8")) : undefined;
if (committed !== undefined && !sameNumbers(committed.dense, measured))
  throw new Error(
    `${folder} has other perplexities of the dense model than ${numbersFile}: other texts or another model, so rows cannot be added`,
  );
const dense = committed?.dense ?? measured;
const made = new Map(compareRows(rows, scores, shares).map((row) => [row.name, row]));
const compared = everyRow.flatMap((row): ComparedRow[] => {
  const found = made.get(row.name) ?? committed?.rows.get(row.name);
  return found === undefined ? [] : [{ ...row, ...found }];
});
const spent = new Map([...(committed?.spent ?? []), ...(await readSpent(folder))]);
const planned = plannedDuels(compared);
const fight = (duels: readonly Omit<Duel, "losses">[]): Duel[] =>
  duels.map((duel) => ({ ...duel, losses: lossesAgainst(scores, duel.first, duel.second, shares) }));

const matrices = new Map<string, SimilarityMatrix>();
if (existsSync(join(folder, "similarity.arrow"))) {
  const records = await collect(readSimilarities(await openArtifact(join(folder, "similarity.arrow"))));
  matrices.set("first input", similarityMatrix(records, "degrees"));
  matrices.set("all sites", similarityMatrix(records, "degrees", parseSite("mean")));
}

const blocks: Record<string, string> = {
  averages: averagesTable(compared),
  summary: summaryTable(compared),
  settings: settingsTable(compared, "proportional", spent),
  ...(!add && { mixes: duelsTable(fight(planned.mixes)), peers: duelsTable(fight(planned.peers)) }),
  ...(matrices.size > 0 && !add && { tendencies: tendenciesTable(compared, matrices) }),
};
for (const method of Object.keys(methods)) {
  if (compared.some((row) => row.method === method)) blocks[method] = languagesTable(compared, method, dense);
}
for (const [block, names] of Object.entries(optionTables)) {
  if (compared.some(({ method }) => names.includes(method))) blocks[block] = optionsTable(compared, names, spent);
}

const named = Object.fromEntries(
  Object.entries(blocks).map(([block, text]) => [modelName === undefined ? block : `${modelName}-${block}`, text]),
);
for (const page of ["docs/measured/real-models.md", "docs/measured/quantisers.md", "docs/real-models.md"]) {
  const path = join(root, page);
  await writeFile(path, replaceBlocks(await readFile(path, "utf8"), "compare", named));
}
await mkdir(join(root, "docs/measured/real-models"), { recursive: true });
await writeFile(numbersPath, formatNumbers({ dense, rows: new Map(compared.map((row) => [row.name, row])), spent }));
if (modelName === undefined && !add)
  await writeFile(join(root, "docs/measured/real-models/rises.svg"), `${await plotRows(compared)}\n`);
process.stderr.write(`compare: ${rows.length} rows; tables ${Object.keys(blocks).join(", ")}\n`);
