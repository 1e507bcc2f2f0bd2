/**
 * The table of docs/controlled-model.md: one method of a demo's results.json as Markdown.
 *
 * usage: npx tsx tools/demo-table/demo-table.ts demo-output/results.json [sparsegpt]
 */
import { readFileSync } from "node:fs";
import { at } from "@mbs/contracts";
import type { DemoResults, MixResult, Rise } from "../../packages/mbs/src/demo/demo-results.ts";

const [path = "demo-output/results.json", name = "sparsegpt"] = process.argv.slice(2);
const { plan, languages, methods } = JSON.parse(readFileSync(path, "utf8")) as DemoResults;
const method = methods.find((candidate) => candidate.name === name) ?? at(methods, 0);
const several = plan.seeds.length > 1;

const percent = (value: number): string => `${value < 0 ? "−" : "+"}${Math.abs(value * 100).toFixed(1)}%`;

function cell({ rise, spread: [low, high], excludesZero }: Rise): string {
  return `${percent(rise)}${excludesZero ? "\\*" : ""}${several ? ` (${percent(low)} to ${percent(high)})` : ""}`;
}

const row = (head: readonly string[], pick: (mix: MixResult) => string): string =>
  `| ${[...head, ...method.mixes.map(pick)].join(" | ")} |`;

const lines = [
  `| language | share | dense | ${method.mixes.map(({ title }) => title).join(" | ")} |`,
  `|---|---:|---:|${method.mixes.map(() => "---:|").join("")}`,
  ...languages.map(({ language, share, perplexity }, index) =>
    row([language, `${(share * 100).toFixed(1)}%`, perplexity.toFixed(1)], (mix) => cell(at(mix.languages, index))),
  ),
  row(["**mean of languages**", "", ""], (mix) => cell(mix.unweighted)),
  row(["**weighted by share**", "", ""], (mix) => cell(mix.weighted)),
  row(["**worst language**", "", ""], (mix) => `${mix.worst.language} ${cell(mix.worst)}`),
];
const others = methods.flatMap(({ title, mixes }) => [
  `- ${title}: mean ${mixes.map((mix) => `${percent(mix.unweighted.rise)} ${mix.title}`).join(", ")}; weighted ${mixes.map((mix) => `${percent(mix.weighted.rise)} ${mix.title}`).join(", ")}; ` +
    `worst ${mixes.map((mix) => `${mix.worst.language} ${percent(mix.worst.rise)} ${mix.title}`).join(", ")}; ` +
    `rank correlation of angle and rise ${mixes.map((mix) => `${mix.correlation.toFixed(2)} ${mix.title}`).join(", ")}.`,
]);
process.stdout.write(
  `${method.title}, ${plan.segments} segments of ${plan.length} tokens a mix, at most ${plan.windows} windows a language, ` +
    `${plan.seeds.length} ${several ? "seeds" : "seed"}\n\n${lines.join("\n")}\n\n${others.join("\n")}\n`,
);
