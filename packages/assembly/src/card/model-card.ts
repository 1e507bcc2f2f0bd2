import { createHash } from "node:crypto";
import { join } from "node:path";
import { writeAtomically } from "@mbs/artifacts";
import { formatBytes, nameMethod } from "@mbs/contracts";
import { cardFile, meanMix } from "@mbs/models";
import type { RecordedLayers } from "@mbs/models";
import { stringify } from "yaml";
import { readRecord } from "./assembly-record.ts";
import type { AssemblyRecord } from "./assembly-record.ts";
import { loadLines } from "./load-lines.ts";
import { codeBlock, plainText, table } from "./markdown.ts";
import { answerTable, distanceTable, modelIndex, resultTable } from "./result-table.ts";
import type { CardResults } from "./result-table.ts";
import { partsText, readWeightFiles, roundedBefore, roundedTwice, storedTensors } from "./size-report.ts";
import type { WeightFiles } from "./size-report.ts";
import { countStorage, differingStorage, isQuantised } from "./storage-counts.ts";

interface CardFacts {
  readonly record: AssemblyRecord;
  readonly weights: WeightFiles;
  /** What the model that was compressed is called where the Hub has no name for it. */
  readonly name?: string | undefined;
  readonly results?: CardResults | undefined;
  /** YAML of the recipe that made it. */
  readonly recipe?: string | undefined;
}

/** What the Hub calls the programs that load a format, where they are not transformers. */
const libraries: Readonly<Record<string, string>> = { gguf: "gguf", onnx: "transformers.js" };

const unique = <Value>(values: Iterable<Value>): Value[] => [...new Set(values)];

function head(facts: CardFacts, languages: readonly string[]): string {
  const { record, results } = facts;
  const { source, format, layers } = record;
  const { storages } = countStorage(storedTensors(record).filter(isQuantised));
  const solvers = unique(layers.map(({ solver }) => solver));
  // The Hub knows languages, not their scripts.
  const codes = unique(languages.flatMap((language) => /^[a-z]{2,3}(?=-|$)/.exec(language)?.[0] ?? []));
  const metadata = {
    language: codes.length > 0 ? codes : undefined,
    license: source.license,
    license_name: source.licenseName,
    license_link: source.licenseLink,
    base_model: source.baseModel,
    // The Hub has no word for a pruned model.
    base_model_relation: storages.length > 0 && source.baseModel !== undefined ? "quantized" : undefined,
    library_name: libraries[format] ?? "transformers",
    pipeline_tag: "text-generation",
    tags: unique([
      "multilingual-brain-surgeon",
      ...solvers,
      ...storages.map((storage) => (/^\d+$/.test(storage) ? `${storage}-bit` : storage)),
      ...(format === "dense" ? [] : [format]),
    ]),
    "model-index": results && modelIndex(results, titleOf(facts)),
  };
  // Texts are quoted, since "no" is a language and also false.
  return stringify(metadata, { defaultStringType: "QUOTE_DOUBLE", defaultKeyType: "PLAIN", lineWidth: 0 });
}

/** "bloom-560m, sparsegpt sparsity 0.5" */
function titleOf({ record: { source, layers }, name }: CardFacts): string {
  const methods = unique(layers.map(({ solver, options }) => nameMethod(solver, options)));
  return `${source.baseModel?.split("/")[1] ?? name ?? "Model"}, ${methods.join(" and ")}`;
}

/** 4.174479166666667 → "4.174", others as they are; mbs.json has all digits. */
const optionText = (value: unknown): string =>
  String(typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value);

const isOfVocabulary = ({ options }: RecordedLayers): boolean => options["vocabulary"] !== undefined;

/** A row a method; which weights it is of, where embedding and head were compressed apart from the blocks. */
function methodTable(origins: readonly RecordedLayers[]): string[] {
  const isApart = origins.some(isOfVocabulary) && !origins.every(isOfVocabulary);
  const rows = origins.map((origin) => {
    const settings = Object.entries(origin.options).sort(([a], [b]) => (a < b ? -1 : 1));
    const text = settings.map(([name, value]) => `${name} ${optionText(value)}`).join(", ");
    return [...(isApart ? [isOfVocabulary(origin) ? "embedding and head" : "blocks"] : []), origin.solver, origin.order, text];
  });
  const different = new Map(rows.map((row) => [JSON.stringify(row), row]));
  return table([...(isApart ? ["weights"] : []), "solver", "column order", "options"], [...different.values()]);
}

/** Which bits or types the tensors of each kind have, where these differ. */
function storageLines(record: AssemblyRecord): string[] {
  const counts = differingStorage(storedTensors(record));
  if (counts === undefined) return [];
  return [
    "",
    "Tensors by their bits or type:",
    "",
    ...table(
      ["tensors", ...counts.storages],
      counts.kinds.map(({ kind, counts: own }) => [kind, ...own.map((count) => (count === 0 ? "" : count))]),
    ),
  ];
}

function sizeLines(record: AssemblyRecord, { bytes }: WeightFiles): string[] {
  const { format, sizes } = record;
  if (format === "dense")
    return [`The weights are stored dense (${formatBytes(bytes)} on disk); their values are those of the compressed model.`];
  const before = roundedBefore(record);
  const bits = (sizes.compressedBytes * 8) / sizes.compressedParameters;
  return [
    `Stored as ${format}: ${formatBytes(bytes)} on disk, ${formatBytes(sizes.denseBytes)} dense; ${bits.toFixed(2)} bits a compressed weight with its scales.`,
    ...(sizes.parts === undefined ? [] : [`By part, now and dense: ${partsText(sizes.parts)}.`]),
    ...(before === undefined ? [] : [`Its ${roundedTwice(before)}.`]),
  ];
}

function perplexityLines(results: CardResults): string[] {
  const { head: titles, rows } = resultTable(results);
  if (rows.length === 0) return [];
  const [reference, ...others] = results.models.map(plainText);
  const compared = others.length === 0 ? "" : ` Rises are above ${reference}, on the same windows.`;
  const worst = results.averages.some(({ scores }) => scores.some((score) => score?.language !== undefined))
    ? ` The worst language is of ${reference} the one of the highest perplexity${others.length === 0 ? "" : `, of the others the one that rose most above ${reference}`}; read it together with the averages.`
    : "";
  return [
    `Perplexity of held-out text by language (lower is better), in brackets the 95% bootstrap interval over windows.${compared}${worst}`,
    "",
    ...table(titles, rows),
    "",
    `Texts: ${results.corpora.map((address) => `\`${address}\``).join(", ")}.`,
  ];
}

function distanceLines(results: CardResults): string[] {
  const { head: titles, rows } = distanceTable(results);
  if (rows.length === 0) return [];
  return [
    `KL divergence of the next token's distribution from that of ${plainText(results.models[0] ?? "")}, nats a token, and how often both take the same token for the most likely.`,
    "",
    ...table(titles, rows),
  ];
}

function answerLines(results: CardResults): string[] {
  const { head: titles, rows } = answerTable(results);
  if (rows.length === 0) return [];
  return [
    "Right answers to tasks, in brackets the 95% bootstrap interval over documents; chance is what guessing gives, differences are in points, flips are answers that became wrong or right.",
    "",
    ...table(titles, rows),
  ];
}

function resultLines(results: CardResults | undefined): string[] {
  if (results === undefined) return [];
  const parts = [perplexityLines(results), distanceLines(results), answerLines(results)].filter(({ length }) => length > 0);
  const isOther = results.subject === undefined ? ["", "None of the models is the one in this folder."] : [];
  return ["", "## Results", ...parts.flatMap((lines) => ["", ...lines]), ...isOther];
}

/** One address of all layers: of several artifacts the SHA-256 of their addresses, a line each. */
function layerLines(addresses: readonly string[]): string[] {
  const [first, second] = addresses;
  if (first === undefined) return [];
  if (second === undefined) return [`- layers: \`${first}\``];
  const whole = createHash("sha256")
    .update(addresses.map((address) => `${address}\n`).join(""))
    .digest("hex");
  return [
    `- layers: \`${whole}\`, of ${addresses.length} artifacts: the SHA-256 of their addresses, a line each in the order of \`mbs.json\` (\`jq -r '.layers[].address' mbs.json | sha256sum\`)`,
  ];
}

/** How the model had been rotated, where it had. */
const rotationLines = ({ rotation }: AssemblyRecord): string[] =>
  rotation === undefined
    ? []
    : [
        `- before that, its weights were rotated (residual stream: ${rotation.stream}, values: ${rotation.values}, seed ${rotation.seed}), which changes nothing that it computes; the model it was made from: \`${rotation.source}\``,
      ];

/** How the vocabulary had been trimmed, where it had. */
const trimmingLines = ({ trimming }: AssemblyRecord): string[] =>
  trimming === undefined
    ? []
    : [
        `- before that, its vocabulary was trimmed to the tokens of ${trimming.keep.join(", ")}: ${trimming.kept} of ${trimming.rows} rows. Their texts stay the same tokens, those of other languages become more; perplexities are not to be compared with those over all rows. The model before: \`${trimming.source}\``,
      ];

const mixLines = (mix: readonly (readonly [language: string, share: number])[]): string[] =>
  mix.length === 0
    ? []
    : [
        "",
        "## Calibration mix",
        "",
        ...table(
          ["language", "share"],
          mix.filter(([, share]) => share > 0).map(([language, share]) => [language, `${(share * 100).toFixed(2)}%`]),
        ),
      ];

const recipeLines = (recipe: string | undefined): string[] =>
  recipe === undefined
    ? []
    : ["", "The recipe of `mbs run`, with every default and the hashes of its inputs:", "", ...codeBlock("yaml", recipe)];

/**
 * The model card of a compressed model, in the Hub's format. It holds no dates, so the same work gives the same bytes.
 *
 * @see https://huggingface.co/docs/hub/model-cards
 */
export function modelCard(facts: CardFacts): string {
  const { record, weights, results, recipe } = facts;
  const { source, model, format, layers } = record;
  const mix = Object.entries(meanMix(layers)).sort(([a, first], [b, second]) => second - first || (a < b ? -1 : 1));
  const origin =
    source.baseModel === undefined
      ? "a model of the address below"
      : `[${source.baseModel}](https://huggingface.co/${source.baseModel})`;
  const made =
    mix.length === 0
      ? "compressed without calibration texts"
      : "calibrated with text of the languages below ([MBS](https://arxiv.org/abs/2404.04748))";
  return [
    "---",
    `${head(
      facts,
      mix.map(([language]) => language),
    )}---`,
    "",
    `# ${plainText(titleOf(facts))}`,
    "",
    `Made by Multilingual Brain Surgeon from ${origin}: ${made}.`,
    "",
    "## Method",
    "",
    ...methodTable(layers),
    "",
    ...sizeLines(record, weights),
    ...storageLines(record),
    "",
    "## How to load it",
    "",
    ...loadLines(format, weights),
    ...mixLines(mix),
    ...resultLines(results),
    "",
    "## How it was made",
    "",
    `- model compressed: \`${model}\``,
    ...rotationLines(record),
    ...trimmingLines(record),
    ...layerLines(layers.map(({ address }) => address)),
    "",
    "These are content addresses (SHA-256). `mbs.json` has the address and the options of each artifact of layers, and the error and sparsity of every tensor.",
    ...recipeLines(recipe),
    "",
  ].join("\n");
}

/**
 * Rewrites the card of an assembled folder with what was not known when it was assembled.
 *
 * @param folder its mbs.json says the rest
 * @throws {BadDataError} where the folder has no mbs.json
 */
export async function describeModel(folder: string, known: Omit<CardFacts, "record" | "weights">): Promise<void> {
  const card = modelCard({ record: await readRecord(folder), weights: await readWeightFiles(folder), ...known });
  await writeAtomically(join(folder, cardFile), [Buffer.from(card)], { force: true });
}
