/**
 * Writes the tables of mixes over twelve languages into docs/measured/languages.md, their plots into docs/languages, and the
 * numbers into docs/measured/languages.json, or of other pages into languages-pages.json and of SmolLM2 into languages-smollm2.json.
 *
 * usage: node --conditions=mbs-source --import tsx tools/compare/languages-page.ts --output FOLDER
 *   --output  what tools/compare/run.ts --size twelve or pages has made; rows that are not there stay as they are committed
 */
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { logPerplexity, sumLosses } from "@mbs/artifacts";
import { groupBy } from "@mbs/contracts";
import { replaceBlocks } from "../pages/blocks.ts";
import { risesOf } from "./draws.ts";
import type { DrawnRow } from "./draws.ts";
import { damageLawTable } from "./damage-law.ts";
import { intervalsTable, lawTable } from "./languages-law.ts";
import { allMeasured, isSameDense, readLanguagesNumbers, renewed, writeLanguagesNumbers } from "./languages-numbers.ts";
import { onsetTable, plotOnset } from "./languages-onset.ts";
import {
  favoursTable,
  namedOnOtherPages,
  namedOutcomes,
  namedTable,
  outcomeTable,
  pagesTable,
  unitsTable,
} from "./languages-outcomes.ts";
import { plotAmounts, plotLanguages } from "./languages-plots.ts";
import {
  amountsOfOneTable,
  frontierTable,
  languagesOfMixes,
  mixesTable,
  standInsTable,
  weightOrAmountTable,
} from "./languages-tables.ts";
import { isWritten, readAnswers, readDamageOf, readRowScores, readWritten, scoresFile } from "./row-files.ts";
import type { AnswersRow, DamageRow, WrittenRow } from "./row-files.ts";
import type { Measured } from "./languages-numbers.ts";
import { answersTable, writtenTable } from "./written-tables.ts";
import { allMethods, allMixes, rowsOf } from "./rows.ts";

const { values } = parseArgs({ options: { output: { type: "string" } } });
const { output: folder } = values;
if (folder === undefined) throw new Error("usage: languages-page.ts --output FOLDER");
const docs = fileURLToPath(new URL("../../docs/", import.meta.url));

/** From 0 on. */
const drawsOnPage = 11;
/** The draw of the model that mixes were found from, which is compared with none. */
const drawOfFound = 5;

const dense = await readRowScores(folder, "dense");
const made: DrawnRow[] = [];
const madeWritten: WrittenRow[] = [];
const madeAnswers: AnswersRow[] = [];
const madeDamage: DamageRow[] = [];
const rowsOnPage = rowsOf(Object.keys(allMethods), Object.keys(allMixes), drawsOnPage);
const known = new Set(["dense", ...rowsOnPage.map(({ name }) => name)].map(scoresFile));
const others = (await readdir(folder)).filter((name) => name.endsWith(scoresFile("")) && !known.has(name));
if (others.length > 0) throw new Error(`${folder} has rows that are none of the page's: ${others.join(", ")}`);
for (const { name, method, mix, draw } of rowsOnPage) {
  if (draw === drawOfFound) continue;
  if (existsSync(join(folder, scoresFile(name))))
    made.push({ method, mix, draw, rises: risesOf(dense, await readRowScores(folder, name)) });
  if (isWritten(folder, name)) madeWritten.push({ method, mix, draw, ...(await readWritten(folder, name)) });
  const right = await readAnswers(folder, name);
  if (right !== undefined) madeAnswers.push({ method, mix, draw, right });
  const damageOf = await readDamageOf(folder, name);
  if (damageOf !== undefined) madeDamage.push({ method, mix, draw, damage: damageOf });
}
const rounded = (value: number): number => Number(value.toPrecision(5));
const languages = Object.fromEntries(
  [...groupBy(dense, ({ language }) => language)].map(([language, windows]) => {
    const sums = sumLosses(windows);
    return [language, { bytes: rounded(sums.bytes / sums.tokens), nats: rounded(logPerplexity(sums)) }];
  }),
);
const numbers = {
  gemma: await readLanguagesNumbers("gemma"),
  "gemma-pages": await readLanguagesNumbers("gemma-pages"),
  smollm2: await readLanguagesNumbers("smollm2"),
};
/** What the rows of the folder are of, by what the dense model loses. */
function measuredInFolder(): Measured {
  const measured = allMeasured.find((name) => isSameDense(languages, numbers[name].dense));
  if (measured !== undefined) return measured;
  throw new Error(`${folder}: the dense model loses what none in docs/measured does: other texts or another model`);
}
const measured = measuredInFolder();
const committed = numbers[measured];
numbers[measured] = {
  dense: languages,
  rows: renewed(committed.rows, made),
  damage: renewed(committed.damage, madeDamage),
  written: renewed(committed.written, madeWritten),
  answers: {
    dense: (await readAnswers(folder, "dense")) ?? committed.answers.dense,
    rows: renewed(committed.answers.rows, madeAnswers),
  },
};
await writeLanguagesNumbers(measured, numbers[measured]);

const { gemma, smollm2, "gemma-pages": pages } = numbers;
const { rows } = gemma;
const page = join(docs, "measured/languages.md");
const blocks = {
  mixes: mixesTable(rows),
  outcome: outcomeTable(rows, namedOutcomes),
  named: namedTable(rows, "gptq-3", gemma.dense, namedOutcomes),
  "by-language": languagesOfMixes(rows, "gptq-3"),
  units: unitsTable(rows, "gptq-3", gemma.dense),
  weights: favoursTable(rows, "gptq-3"),
  "weight-or-amount": weightOrAmountTable({ "other pages": pages.rows, "first pages": rows }),
  pages: pagesTable(rows, "gptq-3"),
  "other-pages": mixesTable(pages.rows),
  "other-pages-named": namedTable(pages.rows, "gptq-3", pages.dense, namedOnOtherPages),
  "other-pages-outcome": outcomeTable(pages.rows, namedOnOtherPages),
  "other-pages-by-language": languagesOfMixes(pages.rows, "gptq-3"),
  "amounts-of-one": amountsOfOneTable(rows, "gptq-3"),
  frontier: frontierTable(rows, "gptq-3"),
  onset: onsetTable(rows),
  smollm2: onsetTable(smollm2.rows),
  "stand-ins": standInsTable(rows, "gptq-3"),
  law: lawTable(rows),
  intervals: intervalsTable(rows),
  damage: damageLawTable(rows, gemma.damage),
  written: writtenTable(gemma.written),
  answers: answersTable(gemma.answers.rows, gemma.answers.dense),
};
const text = await readFile(page, "utf8");
const unmarked = Object.keys(blocks).filter((name) => !text.includes(`<!-- languages ${name} -->`));
if (unmarked.length > 0) throw new Error(`${page} has no place for ${unmarked.join(", ")}`);
await writeFile(page, replaceBlocks(text, "languages", blocks));
await mkdir(join(docs, "languages"), { recursive: true });
const plots = { mixes: plotLanguages(rows, "gptq-3"), onset: plotOnset(rows), amounts: plotAmounts(rows, "gptq-3") };
for (const [name, svg] of Object.entries(plots)) await writeFile(join(docs, `languages/${name}.svg`), await svg);
process.stderr.write(`compare: ${made.length} rows of twelve languages of ${measured}\n`);
