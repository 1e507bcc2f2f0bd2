import { basename, dirname, join } from "node:path";
import { formatBytes, sizeAgainst } from "@mbs/contracts";
import type { ScoresReport } from "@mbs/evaluation";
import { shellWord } from "@mbs/pipeline";
import { formatInterval, formatRise, formatTable, headings, textBar } from "@mbs/reporting";
import type { ShrinkFormat } from "./defaults.ts";
import { ownLabel, sourceLabel, usualLabel } from "./shrink-recipe.ts";

const barWidth = 12;

/** The mean over languages of what a model lost; undefined where it has no mean. */
const meanRise = ({ averages }: Pick<ScoresReport, "averages">, model: string): number | undefined =>
  averages.find((average) => average.model === model)?.unweighted.rise;

/** Loss of each language, with that of rounding to nearest beside it. */
export function lossTable(scores: ScoresReport): string {
  const { pairs } = scores;
  const of = (model: string) => new Map(pairs.filter((pair) => pair.model === model).map((pair) => [pair.language, pair]));
  const [ours, usual] = [of(ownLabel), of(usualLabel)];
  const most = Math.max(0, ...pairs.map(({ rise }) => rise));
  const rows = [...ours.values()].map(({ language, rise, interval }) => {
    const other = usual.get(language);
    return [
      language,
      formatRise(rise),
      formatInterval(interval),
      textBar(most === 0 ? 0 : rise / most, barWidth),
      other === undefined ? "–" : formatRise(other.rise),
    ];
  });
  const meanOf = (model: string): string => {
    const rise = meanRise(scores, model);
    return rise === undefined ? "–" : formatRise(rise);
  };
  rows.push(["mean", meanOf(ownLabel), "", "", meanOf(usualLabel)]);
  const columns = [...headings(["language"], ["perplexity", "95% interval"]), { title: "" }, { title: "usual", numeric: true }];
  return formatTable({ columns, rows });
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
  const mean = meanRise(scores, ownLabel) ?? Infinity;
  const own = scores.pairs.filter(({ model }) => model === ownLabel);
  const [worst] = own.toSorted((one, other) => other.rise - one.rise);
  if (worst === undefined || worst.interval[0] <= mean || favoured.includes(worst.language)) return [];
  return [`${worst.language} loses most; --favour ${worst.language} lets it count double: run again with another --output`];
}

/** What is known at the end. */
export interface ShrinkResult {
  readonly scores: ScoresReport;
  /** Languages that counted double. */
  readonly favoured: readonly string[];
  /** Tokens of the source. */
  readonly vocabulary: number;
  readonly format: ShrinkFormat;
  readonly model: string;
  readonly report: string;
  /** Bytes of weight files. */
  readonly before: number;
  readonly after: number;
  readonly usual: { readonly name: string; readonly bytes: number };
}

/** The text at the end of a run. */
export function resultText({ scores, favoured, vocabulary, format, model, report, before, after, usual }: ShrinkResult): string {
  return [
    "rise of perplexity over the source, on texts that were not calibrated with",
    lossTable(scores).trimEnd(),
    ...unknownLine(scores, vocabulary),
    ...favourLine(scores, favoured),
    `usual: rounding to nearest, ${usual.name}, ${formatBytes(usual.bytes)} (${sizeAgainst(usual.bytes, after)})`,
    `size: ${formatBytes(before)} → ${formatBytes(after)}, ${sizeAgainst(after, before)}`,
    `model: ${model}`,
    `report: ${report}`,
    "to use it:",
    ...useLines(model, format).map((line) => `  ${line}`),
    "",
  ].join("\n");
}
