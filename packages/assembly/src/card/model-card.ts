import { createHash } from "node:crypto";
import { join } from "node:path";
import { writeAtomically } from "@mbs/artifacts";
import { bitsAWeight, nameMethods } from "@mbs/contracts";
import { cardFile, meanMix } from "@mbs/models";
import type { RecordedLayers } from "@mbs/models";
import { stringify } from "yaml";
import { readRecord } from "./assembly-record.ts";
import type { AssemblyRecord } from "./assembly-record.ts";
import { codeBlock, plainText, table } from "./markdown.ts";
import { modelIndex, resultBlocks } from "./results.ts";
import type { CardResults } from "./results.ts";
import { changeText, partsText, readWeightFiles, roundedBefore, roundedTwice, storedTensors } from "./size-report.ts";
import type { WeightFiles } from "./size-report.ts";
import { countStorage, differingStorage, isQuantised } from "./storage-counts.ts";

const transformers = codeBlock(
  "python",
  `from transformers import AutoModelForCausalLM, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained("FOLDER")
model = AutoModelForCausalLM.from_pretrained("FOLDER")`,
);
const gptqmodel = codeBlock("python", 'from gptqmodel import GPTQModel\nmodel = GPTQModel.load("FOLDER")');
const llama = codeBlock("sh", "llama-cli -m FOLDER/model.gguf");
// Code of the card, not of this package: a check of imports reads the words before it.
const transformersPackage = "@huggingface/transformers";
const transformersJs = codeBlock(
  "js",
  `import { env, pipeline } from "${transformersPackage}";
env.localModelPath = "PARENT-OF-FOLDER";
const generate = await pipeline("text-generation", "FOLDER");`,
);

const ways: Readonly<Record<string, readonly [programs: string, code: string]>> = {
  dense: [
    "With whatever loads the model it was made from, such as transformers (an encoder-decoder with `AutoModelForSeq2SeqLM`) or, where it has the architecture, vLLM (`vllm serve FOLDER`):",
    transformers,
  ],
  gptq: ["With vLLM (`vllm serve FOLDER`), or with transformers where gptqmodel is installed:", transformers],
  "gptq-v2": ["With vLLM (`vllm serve FOLDER`), or with gptqmodel:", gptqmodel],
  "compressed-tensors": [
    "With vLLM (`vllm serve FOLDER`; it has kernels for 4 and 8 bits), or with transformers where compressed-tensors is installed:",
    transformers,
  ],
  gguf: ["With llama.cpp and what is made of it (Ollama, LM Studio, node-llama-cpp):", llama],
  onnx: ["With transformers.js 4 or ONNX Runtime:", transformersJs],
};

const transformersEncoder = codeBlock(
  "python",
  `from transformers import AutoModel, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained("FOLDER")
model = AutoModel.from_pretrained("FOLDER")`,
);
const extraction = codeBlock(
  "js",
  `import { env, pipeline } from "${transformersPackage}";
env.localModelPath = "PARENT-OF-FOLDER";
const extract = await pipeline("feature-extraction", "FOLDER");`,
);

const llamaEmbedding = codeBlock("sh", 'llama-embedding -m FOLDER/model.gguf -p "TEXT"');

const waysOfEncoders: typeof ways = {
  dense: ["With whatever loads the model it was made from, such as transformers or sentence-transformers:", transformersEncoder],
  gguf: ["With llama.cpp and what is made of it (Ollama, LM Studio, node-llama-cpp):", llamaEmbedding],
  onnx: ["With transformers.js or ONNX Runtime:", extraction],
};

/** How programs load the folder, by the format of its weights. */
export const loadBlocks = ({ format, encoder }: Pick<AssemblyRecord, "format" | "encoder">, { graph }: WeightFiles) =>
  format === "dense" && graph
    ? ["With whatever runs the ONNX model it was made from: the graph is the same, its weights are not."]
    : ((encoder ? waysOfEncoders : ways)[format] ?? []);

/** All that a card says something of. */
interface CardFacts {
  readonly record: AssemblyRecord;
  readonly weights: WeightFiles;
  /** What the model that was compressed is called where the Hub has no name for it. */
  readonly name?: string | undefined;
  readonly results?: CardResults | undefined;
  /** YAML of the recipe that made it. */
  readonly recipe?: string | undefined;
}

/** Paragraphs, tables and code below a heading, of what is known; a section without any is left out. */
interface CardSection {
  readonly heading: string;
  readonly blocks: (facts: CardFacts) => readonly string[];
}

/** The page below its title, in order. */
const sections: readonly CardSection[] = [
  { heading: "Method", blocks: (facts) => [methods(facts), size(facts), ...storage(facts), ...nonfinite(facts)] },
  { heading: "How to load it", blocks: ({ record, weights }) => loadBlocks(record, weights) },
  { heading: "Calibration mix", blocks: mix },
  {
    heading: "Results",
    blocks: ({ results, record }) => (results ? [...(record.nonfinite ? [nonfiniteScores] : []), ...resultBlocks(results)] : []),
  },
  { heading: "How it was made", blocks: (facts) => [addresses(facts), addressesText, ...recipe(facts)] },
];

/**
 * The model card of a compressed model, in the Hub's format. It holds no dates, so the same work gives the same bytes.
 *
 * @see https://huggingface.co/docs/hub/model-cards
 */
export function modelCard(facts: CardFacts): string {
  const below = sections.flatMap(({ heading, blocks }) => {
    const own = blocks(facts);
    return own.length === 0 ? [] : [`## ${heading}`, ...own];
  });
  return `${[frontMatter(facts), `# ${plainText(title(facts))}`, introduction(facts), ...below].join("\n\n")}\n`;
}

/** What a model is called: not as its GGUF file, whose name says the type that its weights had: "gemma-3-270m-q4_k_m.gguf". */
export const modelName = (name: string): string =>
  /\.gguf$/i.test(name) ? name.slice(0, -".gguf".length).replace(/[-._](i?q\d\w*|bf16|f16|f32)$/i, "") : name;

/** "bloom-560m, sparsegpt sparsity 0.5" */
function title({ record: { source, layers }, name }: CardFacts): string {
  return `${source.baseModel?.split("/")[1] ?? (name === undefined ? "Model" : modelName(name))}, ${nameMethods(layers)}`;
}

/** What the Hub calls the programs that load a format, where they are not transformers. */
const libraries: Readonly<Record<string, string>> = { gguf: "gguf", onnx: "transformers.js" };

function frontMatter(facts: CardFacts): string {
  const { record, results } = facts;
  const { source, format, layers } = record;
  const { storages } = countStorage(storedTensors(record).filter(isQuantised));
  // The Hub knows languages, not their scripts.
  const codes = new Set(sharesOf(facts).flatMap(([language]) => /^[a-z]{2,3}(?=-|$)/.exec(language)?.[0] ?? []));
  const metadata = {
    language: codes.size > 0 ? [...codes] : undefined,
    license: source.license,
    license_name: source.licenseName,
    license_link: source.licenseLink,
    base_model: source.baseModel,
    // The Hub has no word for a pruned model.
    base_model_relation: storages.length > 0 && source.baseModel !== undefined ? "quantized" : undefined,
    library_name: libraries[format] ?? "transformers",
    pipeline_tag: record.encoder ? "feature-extraction" : "text-generation",
    tags: [
      ...new Set([
        "multilingual-brain-surgeon",
        ...layers.map(({ solver }) => solver),
        ...storages.map((bits) => (/^\d+$/.test(bits) ? `${bits}-bit` : bits)),
        ...(format === "dense" ? [] : [format]),
      ]),
    ],
    // other programs compute NaN where the scores read 0
    "model-index": record.nonfinite === undefined ? results && modelIndex(results, title(facts)) : undefined,
  };
  // Texts are quoted, since "no" is a language and also false.
  return `---\n${stringify(metadata, { defaultStringType: "QUOTE_DOUBLE", defaultKeyType: "PLAIN", lineWidth: 0 })}---`;
}

function introduction(facts: CardFacts): string {
  const { baseModel } = facts.record.source;
  const origin =
    baseModel === undefined ? "the model with the address below" : `[${baseModel}](https://huggingface.co/${baseModel})`;
  const how =
    sharesOf(facts).length === 0
      ? "compressed without calibration texts"
      : "calibrated with text of the languages below ([MBS](https://arxiv.org/abs/2404.04748))";
  return `Made by Multilingual Brain Surgeon from ${origin}: ${how}.`;
}

/** 4.174479166666667 → "4.174", others as they are; mbs.json has all digits. */
const optionText = (value: unknown): string =>
  String(typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value);

const isOfEmbeddings = ({ options }: RecordedLayers): boolean => options["embeddings"] !== undefined;

/** A row a method; which weights it is of, where embedding and head were compressed apart from the blocks. */
function methods({ record: { layers } }: CardFacts): string {
  const isApart = layers.some(isOfEmbeddings) && !layers.every(isOfEmbeddings);
  const rows = layers.map((own) => {
    const settings = Object.entries(own.options).sort(([a], [b]) => (a < b ? -1 : 1));
    const text = settings.map(([name, value]) => `${name} ${optionText(value)}`).join(", ");
    return [...(isApart ? [isOfEmbeddings(own) ? "embedding and head" : "blocks"] : []), own.solver, own.order, text];
  });
  const different = new Map(rows.map((row) => [JSON.stringify(row), row]));
  return table([...(isApart ? ["weights"] : []), "solver", "column order", "options"], [...different.values()]);
}

function size({ record, weights: { bytes: bytesOnDisk } }: CardFacts): string {
  const { format, sizes, sourceBytes } = record;
  const bitsOfAll = bitsAWeight({ bytes: bytesOnDisk, parameters: sizes.parameters });
  const change = changeText({ bytesOnDisk, ...(sourceBytes !== undefined && { sourceBytes }), bitsAWeight: bitsOfAll });
  if (format === "dense") return `The weights are stored dense (${change}); their values are those of the compressed model.`;
  const before = roundedBefore(record);
  const bits = (sizes.compressedBytes * 8) / sizes.compressedParameters;
  return [
    `Stored as ${format}: ${change}, ${bits.toFixed(2)} bits a compressed weight with its scales.`,
    ...(sizes.parts === undefined ? [] : [`By part: ${partsText(sizes.parts)}.`]),
    ...(before === undefined ? [] : [`Its ${roundedTwice(before)}.`]),
  ].join("\n");
}

/** Which bits or types the tensors of each kind have, where these differ. */
function storage({ record }: CardFacts): string[] {
  const counts = differingStorage(storedTensors(record));
  if (counts === undefined) return [];
  const rows = counts.kinds.map(({ kind, counts: own }) => [kind, ...own.map((count) => (count === 0 ? "" : count))]);
  return ["Tensors by their bits or type:", table(["tensors", ...counts.storages], rows)];
}

function nonfinite({ record: { nonfinite: tensors } }: CardFacts): string[] {
  if (tensors === undefined) return [];
  const which = tensors.map((tensor) => `\`${tensor}\``).join(", ");
  const [subject, verb] = tensors.length === 1 ? ["A tensor has", "stands"] : [`${tensors.length} tensors have`, "stand"];
  return [`**${subject} NaN or Inf** and ${verb} here as in the model that was compressed: ${which}.`];
}

const nonfiniteScores =
  "NaN and Inf in the weights were read as 0 for these scores; programs that compute with them as they are will differ.";

/** Languages of the calibration text, those with most of it first; none for a method without texts. */
const sharesOf = ({ record: { layers } }: CardFacts): (readonly [language: string, share: number])[] =>
  Object.entries(meanMix(layers))
    .filter(([, share]) => share > 0)
    .sort(([a, first], [b, second]) => second - first || (a < b ? -1 : 1));

function mix(facts: CardFacts): string[] {
  const rows = sharesOf(facts).map(([language, share]) => [language, `${(share * 100).toFixed(2)}%`]);
  return rows.length === 0 ? [] : [table(["language", "share"], rows)];
}

/** One address of all layers: of several artifacts the SHA-256 of their addresses, a line each. */
function layersAddress(layers: readonly RecordedLayers[]): string[] {
  const all = layers.map(({ address }) => address);
  if (all.length < 2) return all.map((address) => `- layers: \`${address}\``);
  const whole = createHash("sha256")
    .update(all.map((address) => `${address}\n`).join(""))
    .digest("hex");
  return [
    `- layers: \`${whole}\`, of ${all.length} artifacts: the SHA-256 of their addresses, a line each in the order of \`mbs.json\` (\`jq -r '.layers[].address' mbs.json | sha256sum\`)`,
  ];
}

const addresses = ({ record: { model, rotation, trimming, layers } }: CardFacts): string =>
  [
    `- model compressed: \`${model}\``,
    ...(rotation
      ? [
          `- before that, its weights were rotated (residual stream: ${rotation.stream}, values: ${rotation.values}, seed ${rotation.seed}), which changes nothing that it computes; the model it was made from: \`${rotation.source}\``,
        ]
      : []),
    ...(trimming
      ? [
          `- before that, its vocabulary was trimmed to the tokens of ${trimming.keep.join(", ")}: ${trimming.kept} of ${trimming.rows} rows. Their texts stay the same tokens, those of other languages become more; perplexities are not to be compared with those over all rows. The model before: \`${trimming.source}\``,
        ]
      : []),
    ...layersAddress(layers),
  ].join("\n");

const addressesText =
  "These are content addresses (SHA-256). `mbs.json` has the address and the options of each artifact of layers, and the error and sparsity of every tensor.";

const recipe = ({ recipe: yaml }: CardFacts): string[] =>
  yaml === undefined
    ? []
    : ["The recipe of `mbs run`, with every default and the hashes of its inputs:", codeBlock("yaml", yaml)];

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
