/** Prints the table of docs/measured/multilingual-pruning.md: node --import tsx table.ts FOLDER…, a folder of study.sh a seed. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { at } from "@mbs/contracts";

interface Rise {
  readonly rise?: number;
}

interface Averages {
  readonly model: string;
  readonly unweighted: Rise;
  readonly weighted: Rise;
  readonly worstRise?: { readonly language: string; readonly rise: number };
}

const folders = process.argv.slice(2);
const mixes = ["proportional", "equal", "only:en"];

const averagesOf = (folder: string, name: string): readonly Averages[] =>
  (JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8")) as { averages: readonly Averages[] }).averages;

const percent = (rise: number): string => `+${(100 * rise).toFixed(1)}%`;

/** Mean over the seeds, the least and the most. */
function spanOf(rises: readonly number[]): string {
  const mean = rises.reduce((sum, rise) => sum + rise, 0) / rises.length;
  return `${percent(mean)} (${percent(Math.min(...rises))} to ${percent(Math.max(...rises))})`;
}

console.log("| mix | sparsity | method | mean of languages | weighted by share | worst language |");
console.log("|---|---|---|---|---|---|");
for (const [mix, sparsity] of mixes.flatMap((name) => [0.5, 0.6].map((share) => [name, share] as const))) {
  const seeds = folders.map((folder) => averagesOf(folder, `${mix}-${sparsity}`));
  for (const [index, { model, worstRise }] of at(seeds, 0).entries()) {
    if (worstRise === undefined) continue; // the dense model
    const all = seeds.map((averages) => at(averages, index));
    const languages = [...new Set(all.map(({ worstRise: worst }) => worst?.language))].join(", ");
    const cells = [
      spanOf(all.map(({ unweighted }) => unweighted.rise ?? 0)),
      spanOf(all.map(({ weighted }) => weighted.rise ?? 0)),
      `${languages} ${spanOf(all.map(({ worstRise: worst }) => worst?.rise ?? 0))}`,
    ];
    console.log(`| ${[mix, `${100 * sparsity}%`, model.replaceAll(";", ","), ...cells].join(" | ")} |`);
  }
}
