/**
 * Writes the tables of mixes over twelve languages into docs/measured/languages.md, their plots into docs/languages, and the
 * numbers into docs/measured/languages.json.
 *
 * usage: node --conditions=mbs-source --import tsx tools/compare/languages-page.ts --output FOLDER [--found MIX]
 *   --output  what tools/compare/run.ts --size twelve has made; rows that are not there stay as they are committed
 *   --found   the mix of rows of "found", as run.ts was given it; what is committed where it is not given
 */
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { collect, logPerplexity, openArtifact, readScores, sumLosses } from "@mbs/artifacts";
import type { Score } from "@mbs/artifacts";
import { groupBy, parseLanguageMix } from "@mbs/contracts";
import { replaceBlocks } from "../pages/blocks.ts";
import { risesOf } from "./draws.ts";
import type { DrawnRow } from "./draws.ts";
import { intervalsTable, lawTable } from "./languages-law.ts";
import { onsetTable, plotOnset } from "./languages-onset.ts";
import { namedTable, outcomeTable, pagesTable, unitsTable, weightsTable } from "./languages-outcomes.ts";
import { plotAmounts, plotLanguages } from "./languages-plots.ts";
import type { DenseLanguage } from "./languages-rows.ts";
import { frontierTable, languagesOfMixes, mixesTable, standInsTable } from "./languages-tables.ts";
import { isWritten, readAnswers, readWritten } from "./written-rows.ts";
import type { AnswersRow, RightAnswers, WrittenRow } from "./written-rows.ts";
import { answersTable, writtenTable } from "./written-tables.ts";
import { allMethods, allMixes, rowsOf, scoresFile } from "./rows.ts";
import type { Row } from "./rows.ts";

const { values } = parseArgs({ options: { output: { type: "string" }, found: { type: "string" } } });
const { output: folder } = values;
if (folder === undefined) throw new Error("usage: languages-page.ts --output FOLDER [--found MIX]");
const docs = fileURLToPath(new URL("../../docs/", import.meta.url));
const numbersPath = join(docs, "measured/languages.json");

const scoresOf = async (name: string): Promise<Score[]> =>
  collect(readScores(await openArtifact(join(folder, scoresFile(name)))));

/** Draws from 0 on, and the one of the model that mixes were found from, which is compared with none. */
const [drawsHere, drawOfFound] = [11, 5];

const dense = await scoresOf("dense");
const made: DrawnRow[] = [];
const madeWritten: WrittenRow[] = [];
const madeAnswers: AnswersRow[] = [];
for (const { name, method, mix, draw } of rowsOf(Object.keys(allMethods), Object.keys(allMixes), drawsHere)) {
  if (draw === drawOfFound) continue;
  if (existsSync(join(folder, scoresFile(name)))) made.push({ method, mix, draw, rises: risesOf(dense, await scoresOf(name)) });
  if (isWritten(folder, name)) madeWritten.push({ method, mix, draw, ...(await readWritten(folder, name)) });
  const right = await readAnswers(folder, name);
  if (right !== undefined) madeAnswers.push({ method, mix, draw, right });
}
interface Numbers {
  /** The mix of rows of "found": language → share. */
  readonly found: Readonly<Record<string, number>>;
  readonly rows: readonly DrawnRow[];
  /** What some of them write: tools/compare/written.ts. */
  readonly written: readonly WrittenRow[];
  /** What some of them answer, and the dense model: tools/compare/answers.ts. */
  readonly answers: { readonly dense: RightAnswers; readonly rows: readonly AnswersRow[] };
  /** The dense model on the same windows. */
  readonly dense: Readonly<Record<string, DenseLanguage>>;
}

const committed: Numbers = existsSync(numbersPath)
  ? (JSON.parse(await readFile(numbersPath, "utf8")) as Numbers)
  : { found: {}, rows: [], written: [], answers: { dense: {}, rows: [] }, dense: {} };
const found =
  values.found === undefined ? committed.found : Object.fromEntries(parseLanguageMix(values.found.replace(/^weights:/, "")));
/** Rows with those of the same names replaced, which were made again. */
function renewed<R extends Pick<Row, "method" | "mix" | "draw">>(old: readonly R[], renewal: readonly R[]): readonly R[] {
  const isRenewed = (row: R): boolean =>
    renewal.some(({ method, mix, draw }) => method === row.method && mix === row.mix && draw === row.draw);
  return [...old.filter((row) => !isRenewed(row)), ...renewal];
}
const rows = renewed(committed.rows, made);
const written = renewed(committed.written, madeWritten);
const answers = {
  dense: (await readAnswers(folder, "dense")) ?? committed.answers.dense,
  rows: renewed(committed.answers.rows, madeAnswers),
};
const lines = (list: readonly object[]): string => `[\n${list.map((row) => JSON.stringify(row)).join(",\n")}\n]`;
const rounded = (value: number): number => Number(value.toPrecision(5));
const languages = Object.fromEntries(
  [...groupBy(dense, ({ language }) => language)].map(([language, windows]) => {
    const sums = sumLosses(windows);
    return [language, { bytes: rounded(sums.bytes / sums.tokens), nats: rounded(logPerplexity(sums)) }];
  }),
);
await writeFile(
  numbersPath,
  `{"found":${JSON.stringify(found)},"dense":${JSON.stringify(languages)},"rows":${lines(rows)},"written":${lines(written)},"answers":{"dense":${JSON.stringify(answers.dense)},"rows":${lines(answers.rows)}}}\n`,
);

const page = join(docs, "measured/languages.md");
const blocks = {
  mixes: mixesTable(rows),
  outcome: outcomeTable(rows),
  named: namedTable(rows, "gptq-3", languages),
  "by-language": languagesOfMixes(rows, "gptq-3"),
  units: unitsTable(rows, "gptq-3", languages),
  weights: weightsTable(rows, "gptq-3"),
  pages: pagesTable(rows, "gptq-3"),
  frontier: frontierTable(rows, "gptq-3"),
  onset: onsetTable(rows),
  "stand-ins": standInsTable(rows, "gptq-3"),
  law: lawTable(rows, found),
  intervals: intervalsTable(rows, found),
  written: writtenTable(written),
  answers: answersTable(answers.rows, answers.dense),
};
await writeFile(page, replaceBlocks(await readFile(page, "utf8"), "languages", blocks));
await mkdir(join(docs, "languages"), { recursive: true });
const plots = { mixes: plotLanguages(rows, "gptq-3"), onset: plotOnset(rows), amounts: plotAmounts(rows, "gptq-3") };
for (const [name, svg] of Object.entries(plots)) await writeFile(join(docs, `languages/${name}.svg`), await svg);
process.stderr.write(`compare: ${made.length} rows of twelve languages\n`);
