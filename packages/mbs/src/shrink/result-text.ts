import { basename, dirname, join } from "node:path";
import { formatBytes, sizeAgainst } from "@mbs/contracts";
import type { ScoresReport } from "@mbs/evaluation";
import { shellWord } from "@mbs/pipeline";
import { formatInterval, formatRise, formatTable, headings, riseBar, riseBarText } from "@mbs/reporting";
import type { ShrinkFormat } from "./defaults.ts";
import { quantisedText } from "./shrink-source.ts";
import type { ShrinkSource } from "./shrink-source.ts";
import { ownLabel, sourceLabel, usualLabel } from "./shrink-recipe.ts";

const barWidth = 13;

/** What a model lost in each language, and in the mean over them, where there is one: by the names of the rows that show it. */
function risesOf({ pairs, averages }: ScoresReport, model: string): ReadonlyMap<string, number> {
  const mean = averages.find((average) => average.model === model)?.unweighted.rise;
  const rises = pairs.filter((pair) => pair.model === model).map(({ language, rise }) => [language, rise] as const);
  return new Map([...rises, ...(mean === undefined ? [] : [["mean", mean] as const])]);
}

const riseCells = (rise: number | undefined): readonly [text: string, bar: string] =>
  rise === undefined ? ["–", ""] : [formatRise(rise), riseBar(rise, barWidth)];

/** What each language lost. */
function lossTable(scores: ScoresReport): string {
  const pairs = new Map(scores.pairs.filter(({ model }) => model === ownLabel).map((pair) => [pair.language, pair]));
  const rows = [...risesOf(scores, ownLabel)].map(([name, rise]) => {
    const [text, bar] = riseCells(rise);
    const interval = pairs.get(name)?.interval;
    return [name, text, interval === undefined ? "" : formatInterval(interval), bar];
  });
  const columns = [...headings(["language"], ["perplexity", "95% interval"]), { title: "" }];
  return `${formatTable({ columns, rows })}${riseBarText}`;
}

/** What each language lost in the shrunk model, and in the one that is rounded to nearest. */
function comparisonTable(scores: ScoresReport): string {
  const usual = risesOf(scores, usualLabel);
  const rows = [...risesOf(scores, ownLabel)].map(([name, rise]) => [name, ...riseCells(rise), ...riseCells(usual.get(name))]);
  const columns = [ownLabel, usualLabel].flatMap((title) => [{ title, numeric: true }, { title: "" }]);
  return `${formatTable({ columns: [{ title: "language" }, ...columns], rows })}${riseBarText}`;
}

/** The lines that run the result. @param model its folder */
function useLines(model: string, format: ShrinkFormat): readonly string[] {
  const file = shellWord(join(model, "model.gguf"));
  const folder = shellWord(model);
  switch (format) {
    case "gguf":
      return [`llama-cli -m ${file} -p "…"`, `npx -y node-llama-cpp chat ${file}`, `mbs generate --model ${folder} "…"`];
    case "onnx":
      return [
        `env.localModelPath = ${JSON.stringify(dirname(model))}; await pipeline("text-generation", ${JSON.stringify(basename(model))})   // transformers.js`,
        `mbs generate --model ${folder} "…"`,
      ];
    default:
      return [
        `AutoModelForCausalLM.from_pretrained(${JSON.stringify(model)})   # transformers`,
        `mbs generate --model ${folder} "…"`,
      ];
  }
}

/**
 * The languages that the source itself predicts worse than by guessing: what compression does to them, the scores do not say.
 *
 * @param vocabulary tokens that there are
 */
export const unknownLanguages = ({ results }: ScoresReport, vocabulary: number): readonly string[] =>
  results.filter(({ model, perplexity }) => model === sourceLabel && perplexity > vocabulary).map(({ language }) => language);

/** A line on languages that the model does not know; none where it knows all. */
function unknownLine(scores: ScoresReport, vocabulary: number): readonly string[] {
  const unknown = unknownLanguages(scores, vocabulary);
  if (unknown.length === 0) return [];
  return [
    `${unknown.join(", ")}: the source itself predicts these texts worse than guessing among its ${vocabulary} tokens would, so the model does not know them; their losses say nothing`,
  ];
}

/** A line on the language that certainly loses more than the mean, and can be favoured; none where there is no such one. */
function favourLine(scores: ScoresReport, favoured: readonly string[]): readonly string[] {
  const mean = risesOf(scores, ownLabel).get("mean") ?? Infinity;
  const own = scores.pairs.filter(({ model }) => model === ownLabel);
  const [worst] = own.toSorted((one, other) => other.rise - one.rise);
  // an interval of too few windows is NaN
  if (worst === undefined || !(worst.interval[0] > mean) || favoured.includes(worst.language)) return [];
  return [`${worst.language} loses most; --favour ${worst.language} lets it count double: run again with another --output`];
}

/** What is known of a result. */
interface ResultFacts {
  readonly source: ShrinkSource;
  readonly scores: ScoresReport;
  /** Languages that counted double. */
  readonly favoured: readonly string[];
  /** Tokens of the source. */
  readonly vocabulary: number;
  readonly format: ShrinkFormat;
  readonly model: string;
  readonly report: string;
  /** Bytes of its weight files. */
  readonly after: number;
}

/** The text on a result, as soon as it is there. */
export function resultText({ source, scores, favoured, vocabulary, format, model, report, after }: ResultFacts): string {
  return [
    `${ownLabel}: rise of perplexity over the ${sourceLabel}, on texts that were not calibrated with`,
    lossTable(scores),
    ...unknownLine(scores, vocabulary),
    ...favourLine(scores, favoured),
    ...[quantisedText(source)].filter((line) => line !== undefined),
    `size: ${formatBytes(source.bytes)} → ${formatBytes(after)}, ${sizeAgainst(after, source.bytes)}`,
    `model: ${model}`,
    `report: ${report}`,
    "to use it:",
    ...useLines(model, format).map((line) => `  ${line}`),
    "",
  ].join("\n");
}

/**
 * The text on what a result is compared with.
 *
 * @param scores of both, beside the source
 * @param after bytes of the weight files of the result
 */
export const comparisonText = (
  scores: ScoresReport,
  after: number,
  usual: { readonly name: string; readonly bytes: number },
): string =>
  [
    `${usualLabel}: rounding to nearest, ${usual.name}, ${formatBytes(usual.bytes)}; ${ownLabel}: ${formatBytes(after)}`,
    comparisonTable(scores),
    "",
  ].join("\n");
