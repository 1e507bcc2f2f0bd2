import { formatBytes } from "@mbs/contracts";
import { meanMix } from "@mbs/models";
import type { RecordedLayers } from "@mbs/models";
import { stringify } from "yaml";
import { modelIndex, resultTable } from "./card-results.ts";
import type { CardResults } from "./card-results.ts";
import type { AssemblyRecord } from "./model-record.ts";
import type { ModelSizes } from "./model-sizes.ts";

/** Name of the card in a model's folder. */
export const cardFile = "README.md";

export interface CardFacts {
  readonly record: AssemblyRecord;
  readonly results?: CardResults | undefined;
  /** YAML of the recipe that made it. */
  readonly recipe?: string | undefined;
}

const unique = <Value>(values: Iterable<Value>): Value[] => [...new Set(values)];

/** In a table a bar ends a cell, and a line break the row. */
const cell = (value: string | number): string => String(value).replaceAll(/[|\r\n]/g, " ");
const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] =>
  [head, head.map(() => "---"), ...rows].map((row) => `| ${row.map(cell).join(" | ")} |`);

function head({ record, results }: CardFacts, languages: readonly string[]): string {
  const { source, format, layers, tensors } = record;
  const bits = unique(Object.values(tensors).flatMap((summary) => (summary.bits === undefined ? [] : [summary.bits]))).sort();
  const solvers = unique(layers.map(({ solver }) => solver));
  // The Hub knows languages, not their scripts.
  const codes = unique(
    languages.filter((language) => /^[a-z]{2,3}(-|$)/.test(language)).map((language) => language.split("-")[0] ?? ""),
  );
  const metadata = {
    language: codes.length > 0 ? codes : undefined,
    license: source.license,
    license_name: source.licenseName,
    license_link: source.licenseLink,
    base_model: source.baseModel,
    // The Hub has no word for a pruned model.
    base_model_relation: bits.length > 0 && source.baseModel !== undefined ? "quantized" : undefined,
    library_name: format === "onnx" ? "transformers.js" : "transformers",
    pipeline_tag: "text-generation",
    tags: unique([
      "multilingual-brain-surgeon",
      ...solvers,
      ...bits.map((count) => `${count}-bit`),
      ...(format === "dense" ? [] : [format]),
    ]),
    "model-index": results && modelIndex(results, titleOf(record)),
  };
  // Texts are quoted, since "no" is a language and also false.
  return stringify(metadata, { defaultStringType: "QUOTE_DOUBLE", defaultKeyType: "PLAIN", lineWidth: 0 });
}

const titleOf = ({ source }: AssemblyRecord): string => `${source.baseModel?.split("/")[1] ?? "Model"}, compressed`;

function methodTable(origins: readonly RecordedLayers[]): string[] {
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

function resultLines(results: CardResults | undefined): string[] {
  if (results === undefined) return [];
  const { head: titles, rows } = resultTable(results);
  const [reference, ...others] = results.models;
  const compared = others.length === 0 ? "" : ` Rises are above ${reference}, on the same windows.`;
  const isOther = results.subject === undefined ? " None of the models is the one in this folder." : "";
  return [
    "",
    "## Results",
    "",
    `Perplexity of held-out text by language (lower is better), in brackets the 95% bootstrap interval over windows.${compared}${isOther}`,
    "",
    ...table(titles, rows),
    "",
    `Texts: ${results.corpora.map((address) => `\`${address}\``).join(", ")}.`,
  ];
}

const recipeLines = (recipe: string | undefined): string[] =>
  recipe === undefined
    ? []
    : ["", "The recipe of `mbs run`, with every default and the hashes of its inputs:", "", "```yaml", recipe.trimEnd(), "```"];

/**
 * The model card of a compressed model, in the Hub's format. It holds no dates, so the same work gives the same bytes.
 *
 * @see https://huggingface.co/docs/hub/model-cards
 */
export function modelCard(facts: CardFacts): string {
  const { record, results, recipe } = facts;
  const { source, model, format, layers, sizes } = record;
  const mix = Object.entries(meanMix(layers)).sort(([a, first], [b, second]) => second - first || (a < b ? -1 : 1));
  const origin =
    source.baseModel === undefined
      ? "a model of the address below"
      : `[${source.baseModel}](https://huggingface.co/${source.baseModel})`;
  return [
    "---",
    `${head(
      facts,
      mix.map(([language]) => language),
    )}---`,
    "",
    `# ${titleOf(record)}`,
    "",
    `Made by Multilingual Brain Surgeon from ${origin}: calibrated with text of the languages below ([MBS](https://arxiv.org/abs/2404.04748)).`,
    "",
    "## Method",
    "",
    ...methodTable(layers),
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
    `- model compressed: \`${model}\``,
    ...unique(layers.map(({ address }) => address)).map((address) => `- layers: \`${address}\``),
    "",
    "These are content addresses (SHA-256). `mbs.json` has the options of each, and the error and sparsity of every tensor.",
    ...recipeLines(recipe),
    "",
  ].join("\n");
}
