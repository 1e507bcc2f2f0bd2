/**
 * Writes tables, picture and numbers of a comparison into the documentation.
 *
 * usage: node --conditions=mbs-source --import tsx tools/compare/page.ts --output FOLDER [--name NAME]
 *   --output  what tools/compare/run.ts has made; rows that are not there yet are left out
 *   --name    of a further model: its blocks are NAME-TABLE, its numbers comparison-NAME.json; the picture is of the first alone
 *
 * Replaces what stands between `<!-- compare NAME -->` and `<!-- end -->` in docs/real-models.md and README.md, and writes
 * docs/real-models/. The text around the tables is written by hand.
 */
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { collect, openArtifact, readScores, readSimilarities } from "@mbs/artifacts";
import type { Score } from "@mbs/artifacts";
import { summarise } from "@mbs/evaluation";
import { parseSite, similarityMatrix } from "@mbs/reporting";
import type { SimilarityMatrix } from "@mbs/reporting";
import { replaceBlocks } from "../pages/blocks.ts";
import { compareRows, lossesAgainst } from "./comparison.ts";
import type { Losses } from "./comparison.ts";
import { plotRows } from "./plot.ts";
import { methods, peers, rowsOf, scoresFile, spentFile } from "./rows.ts";
import {
  averagesTable,
  duelsTable,
  languagesTable,
  plannedDuels,
  settingsTable,
  summaryTable,
  tendenciesTable,
} from "./tables.ts";
import type { Duel, Spent } from "./tables.ts";

const { values } = parseArgs({ options: { output: { type: "string" }, name: { type: "string" } } });
if (values.output === undefined) throw new Error("usage: page.ts --output FOLDER [--name NAME]");
const { output: folder, name: modelName } = values;
const root = fileURLToPath(new URL("../../", import.meta.url));

const readRow = async (name: string): Promise<Score[]> => collect(readScores(await openArtifact(join(folder, scoresFile(name)))));

/** What each row took; of several lines of one row their sum, and the largest peak. */
async function readSpent(): Promise<ReadonlyMap<string, Spent>> {
  const path = join(folder, spentFile);
  const all = new Map<string, Spent>();
  if (!existsSync(path)) return all;
  for (const line of (await readFile(path, "utf8")).split("\n").filter((text) => text !== "")) {
    const { name, spent } = JSON.parse(line) as { readonly name: string; readonly spent: Spent };
    const before = all.get(name) ?? { seconds: 0, processorSeconds: 0, peakBytes: 0 };
    all.set(name, {
      seconds: before.seconds + spent.seconds,
      processorSeconds: before.processorSeconds + spent.processorSeconds,
      peakBytes: Math.max(before.peakBytes, spent.peakBytes),
    });
  }
  return all;
}

const rows = rowsOf([...Object.keys(methods), ...Object.keys(peers)]).filter(({ name }) =>
  existsSync(join(folder, scoresFile(name))),
);
const denseScores = await readRow("dense");
const scores = [...denseScores, ...(await Promise.all(rows.map(({ name }) => readRow(name)))).flat()];
const compared = compareRows(rows, scores);
const dense = new Map(summarise(denseScores).map(({ language, perplexity }) => [language, perplexity]));
const spent = await readSpent();
const planned = plannedDuels(compared);
const fight = (duels: readonly Omit<Duel, "losses">[]): Duel[] =>
  duels.map((duel) => ({ ...duel, losses: lossesAgainst(scores, duel.first, duel.second) }));

const matrices = new Map<string, SimilarityMatrix>();
if (existsSync(join(folder, "similarity.arrow"))) {
  const records = await collect(readSimilarities(await openArtifact(join(folder, "similarity.arrow"))));
  matrices.set("first input", similarityMatrix(records, "degrees"));
  matrices.set("all sites", similarityMatrix(records, "degrees", parseSite("mean")));
}

const blocks: Record<string, string> = {
  averages: averagesTable(compared),
  summary: summaryTable(compared),
  mixes: duelsTable(fight(planned.mixes)),
  peers: duelsTable(fight(planned.peers)),
  settings: settingsTable(compared, "proportional", spent),
  ...(matrices.size > 0 && { tendencies: tendenciesTable(compared, matrices) }),
};
for (const method of Object.keys(methods)) {
  if (compared.some((row) => row.method === method)) blocks[method] = languagesTable(compared, method, dense);
}

const named = Object.fromEntries(
  Object.entries(blocks).map(([block, text]) => [modelName === undefined ? block : `${modelName}-${block}`, text]),
);
for (const page of ["docs/real-models.md", "README.md"]) {
  const path = join(root, page);
  await writeFile(path, replaceBlocks(await readFile(path, "utf8"), "compare", named));
}
const plain = ({ languages, ...averages }: Losses): unknown => ({ languages: Object.fromEntries(languages), ...averages });
const numbers = {
  dense: Object.fromEntries(dense),
  rows: compared.map(({ name, perplexity, losses }) => ({
    name,
    perplexity,
    ...(plain(losses) as object),
    ...(spent.has(name) && { spent: spent.get(name) }),
  })),
};
await mkdir(join(root, "docs/real-models"), { recursive: true });
const numbersFile = modelName === undefined ? "comparison.json" : `comparison-${modelName}.json`;
await writeFile(join(root, "docs/real-models", numbersFile), `${JSON.stringify(numbers)}\n`);
if (modelName === undefined) await writeFile(join(root, "docs/real-models/rises.svg"), `${await plotRows(compared)}\n`);
process.stderr.write(`compare: ${rows.length} rows; tables ${Object.keys(blocks).join(", ")}\n`);
