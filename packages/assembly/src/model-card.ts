import { formatBytes } from "@mbs/contracts";
import type { CardResults } from "./card-results.ts";
import type { CardSource } from "./card-source.ts";
import type { LayersOrigin, LayerSpool } from "./layer-spool.ts";
import type { ModelSizes } from "./model-sizes.ts";

/** Name of the card in a model's folder. */
export const cardFile = "README.md";

export interface CardFacts {
  readonly source: CardSource;
  /** Content address of the model that was compressed. */
  readonly address: string;
  readonly format: string;
  readonly layers: LayerSpool;
  readonly sizes: ModelSizes;
  readonly results: CardResults | undefined;
}

const unique = <Value>(values: Iterable<Value>): Value[] => [...new Set(values)];

/** Texts in YAML are quoted, since "no" is a language and also false. */
const list = (key: string, values: readonly string[]): string[] =>
  values.length === 0 ? [] : [`${key}:`, ...values.map((value) => `- ${JSON.stringify(value)}`)];
const entry = (key: string, value: string | undefined): string[] =>
  value === undefined ? [] : [`${key}: ${JSON.stringify(value)}`];

/** In a table a bar ends a cell, and a line break the row. */
const cell = (value: string | number): string => String(value).replaceAll(/[|\r\n]/g, " ");
const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] =>
  [head, head.map(() => "---"), ...rows].map((row) => `| ${row.map(cell).join(" | ")} |`);

/** The mean of the mixes that the layers were made with. */
function meanMix(origins: readonly LayersOrigin[]): [string, number][] {
  const mix = new Map<string, number>();
  for (const { weights } of origins) {
    for (const [language, weight] of Object.entries(weights)) {
      mix.set(language, (mix.get(language) ?? 0) + weight / origins.length);
    }
  }
  return [...mix].sort(([a, first], [b, second]) => second - first || (a < b ? -1 : 1));
}

function head({ source, format, layers }: CardFacts, languages: readonly string[]): string[] {
  const summaries = [...layers.summaries.values()];
  const bits = unique(summaries.flatMap((summary) => (summary.bits === undefined ? [] : [summary.bits]))).sort();
  const solvers = unique(layers.origins.map(({ solver }) => solver));
  return [
    "---",
    // The Hub knows languages, not their scripts.
    ...list(
      "language",
      unique(languages.filter((language) => /^[a-z]{2,3}(-|$)/.test(language)).map((language) => language.split("-")[0] ?? "")),
    ),
    ...entry("license", source.license),
    ...entry("license_name", source.licenseName),
    ...entry("license_link", source.licenseLink),
    ...entry("base_model", source.baseModel),
    // The Hub has no word for a pruned model.
    ...(bits.length > 0 && source.baseModel !== undefined ? ["base_model_relation: quantized"] : []),
    `library_name: ${format === "onnx" ? "transformers.js" : "transformers"}`,
    "pipeline_tag: text-generation",
    ...list(
      "tags",
      unique([
        "multilingual-brain-surgeon",
        ...solvers,
        ...bits.map((count) => `${count}-bit`),
        ...(format === "dense" ? [] : [format]),
      ]),
    ),
    "---",
  ];
}

function methodTable(origins: readonly LayersOrigin[]): string[] {
  const rows = unique(origins.map(({ solver, order, options }) => JSON.stringify([solver, order, options]))).map((text) => {
    const [solver, order, options] = JSON.parse(text) as [string, string, Record<string, unknown>];
    const settings = Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1));
    return [solver, order, settings.map(([name, value]) => `${name} ${String(value)}`).join(", ")];
  });
  return table(["solver", "column order", "options"], rows);
}

function sizeLines(format: string, sizes: ModelSizes): string[] {
  if (format === "dense")
    return [`The weights are stored dense (${formatBytes(sizes.bytes)}); their values are those of the compressed model.`];
  const bits = (sizes.compressedBytes * 8) / sizes.compressedParameters;
  return [
    `Stored as ${format}: ${formatBytes(sizes.bytes)} of weights, ${formatBytes(sizes.denseBytes)} dense; ${bits.toFixed(2)} bits a compressed weight with its scales.`,
  ];
}

const resultLines = (results: CardResults | undefined): string[] =>
  results === undefined
    ? []
    : [
        "",
        "## Results",
        "",
        "Perplexity by language (lower is better).",
        "",
        ...table(
          ["language", ...results.models],
          results.languages.map((language, row) => [language, ...results.rows[row].map((value) => value?.toFixed(2) ?? "–")]),
        ),
        "",
        `Corpora: ${results.corpora.map((address) => `\`${address}\``).join(", ")}.`,
      ];

/**
 * The model card of a compressed model, in the Hub's format. It holds no dates, so the same work gives the same bytes.
 *
 * @see https://huggingface.co/docs/hub/model-cards
 */
export function modelCard(facts: CardFacts): string {
  const { source, address, format, layers, sizes, results } = facts;
  const mix = meanMix(layers.origins);
  const origin =
    source.baseModel === undefined
      ? "a model of the address below"
      : `[${source.baseModel}](https://huggingface.co/${source.baseModel})`;
  return [
    ...head(
      facts,
      mix.map(([language]) => language),
    ),
    "",
    `# ${source.baseModel?.split("/")[1] ?? "Model"}, compressed`,
    "",
    `Made by Multilingual Brain Surgeon from ${origin}: calibrated with text of the languages below ([MBS](https://arxiv.org/abs/2404.04748)).`,
    "",
    "## Method",
    "",
    ...methodTable(layers.origins),
    "",
    ...sizeLines(format, sizes),
    "",
    "## Calibration mix",
    "",
    ...table(
      ["language", "share"],
      mix.filter(([, share]) => share > 0).map(([language, share]) => [language, `${(share * 100).toFixed(2)}%`]),
    ),
    ...resultLines(results),
    "",
    "## How it was made",
    "",
    `- model compressed: \`${address}\``,
    ...unique(layers.origins.map((made) => made.address)).map((layer) => `- layers: \`${layer}\``),
    "",
    "These are content addresses (SHA-256). `mbs.json` has the options of each, and the error and sparsity of every tensor.",
    "",
  ].join("\n");
}
