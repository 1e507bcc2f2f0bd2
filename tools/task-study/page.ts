/**
 * Writes tables, picture and numbers of docs/studies/tasks.md.
 *
 * usage: node --conditions=mbs-source --import tsx tools/task-study/page.ts --scores FOLDER
 *   --scores  what tools/task-study/run.sh has made: MODEL-METHOD-windows.arrow and MODEL-METHOD-tasks.arrow; a model and
 *             method that lacks one of them is left out
 *
 * Replaces what stands between `<!-- tasks NAME -->` and `<!-- end -->`. The text around the tables is written by hand.
 */
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { replaceBlocks } from "../pages/blocks.ts";
import { drawPlot } from "../studies/plot.ts";
import { aboveChance, bestMixes, correlationsOf, languageFigures, separationsOf } from "./agreements.ts";
import { denseAnswers, figuresOf, mixes, readSetting } from "./measured.ts";
import type { Mix, Setting } from "./measured.ts";
import {
  bestMixesTable,
  correlationsTable,
  languagesTable,
  meansTable,
  mixTitle,
  powerTable,
  separationsTable,
} from "./tables.ts";

const titles: Readonly<Record<string, string>> = {
  "controlled-gptq": "controlled BLOOM, GPTQ 3 bits",
  "controlled-sparsegpt": "controlled BLOOM, SparseGPT 50%",
  "gemma-gptq": "Gemma 3 270m, GPTQ 3 bits",
  "gemma-sparsegpt": "Gemma 3 270m, SparseGPT 50%",
};

const { values } = parseArgs({ options: { scores: { type: "string" } } });
if (values.scores === undefined) throw new Error("usage: page.ts --scores FOLDER");
const folder = values.scores;
const studies = fileURLToPath(new URL("../../docs/studies/", import.meta.url));

const settings = new Map<string, Setting>();
for (const [name, title] of Object.entries(titles)) {
  const paths = { windows: join(folder, `${name}-windows.arrow`), tasks: join(folder, `${name}-tasks.arrow`) };
  if (existsSync(paths.windows) && existsSync(paths.tasks)) settings.set(name, await readSetting(title, paths));
}
const all = [...settings.values()];

const blocks: Record<string, string> = {
  correlations: correlationsTable(all),
  "best-mixes": bestMixesTable(all),
  power: powerTable(all),
};
for (const [name, setting] of settings) {
  blocks[`${name}-means`] = meansTable(setting);
  blocks[`${name}-languages`] = languagesTable(languageFigures(setting));
  blocks[`${name}-separations`] = separationsTable(setting);
}
const page = join(studies, "tasks.md");
await writeFile(page, replaceBlocks(await readFile(page, "utf8"), "tasks", blocks));

const byMix = <Value>(valueOf: (mix: Mix) => Value): Record<string, Value> =>
  Object.fromEntries(mixes.map((mix) => [mix, valueOf(mix)]));
const numbers = all.map((setting) => {
  const languages = languageFigures(setting);
  return {
    setting: setting.title,
    windows: setting.windows,
    means: byMix((mix) => figuresOf(setting, mix, () => true)),
    aboveChance: aboveChance(denseAnswers(setting)),
    languages,
    correlations: correlationsOf(languages),
    bestMixes: bestMixes(languages),
    separations: separationsOf(setting),
  };
});
const rounded = (_: string, value: unknown): unknown => (typeof value === "number" ? Number(value.toPrecision(6)) : value);
await writeFile(join(studies, "tasks.json"), `${JSON.stringify(numbers, rounded)}\n`);

const points = all.flatMap((setting) =>
  languageFigures(setting)
    .filter(({ dense }) => dense.some(({ kind, aboveChance: isAbove }) => kind === "pairs" && isAbove))
    .flatMap(({ pairs }) =>
      mixes.map((mix) => ({
        x: pairs[mix].rise.value,
        y: 100 * pairs[mix].flips.value,
        series: mixTitle(mix),
        panel: setting.title,
      })),
    ),
);
await writeFile(
  join(studies, "tasks.svg"),
  `${await drawPlot(points, { x: "rise, nats a token", y: "flips in pairs, %", mark: "point", ownScales: true })}\n`,
);
process.stderr.write(`tasks: ${all.map(({ title }) => title).join("; ")}\n`);
