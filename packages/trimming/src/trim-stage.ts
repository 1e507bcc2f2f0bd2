import { encodeFiles } from "@mbs/artifacts";
import type { FilePiece } from "@mbs/artifacts";
import { defineStage, formatBytes, parseOptions } from "@mbs/contracts";
import type { OptionTable, StageContext } from "@mbs/contracts";
import { languagesOf, openCorpus, requireLanguages } from "@mbs/corpora";
import {
  chatOf,
  cardFile,
  filePieces,
  listCarriedFiles,
  mayHoldModel,
  nonfiniteNote,
  openModel,
  storedPieces,
  tokenIds,
  tokenizerSources,
  textFile,
  trimmingKey,
  weightFile,
  weightIndex,
  wholeTensors,
} from "@mbs/models";
import type { ArchitectureModel, OutputFile, TrimmingRecord, WeightFile, WrittenFile } from "@mbs/models";
import { renumberedJson, renumberedTokens } from "./renumbered-json.ts";
import type { ReadJson } from "./renumbered-json.ts";
import { partSizes, wholeSize } from "./part-sizes.ts";
import { countTokens, requireTokens } from "./token-use.ts";
import { addedTokensFile, configurations, openTrimmable, readJson, requireTrimmable, trimVocabulary } from "./trimming.ts";
import type { Trimming } from "./trimming.ts";
import { trimmedCard } from "./trimmed-card.ts";

/** What chooses the tokens that stay, for `mbs trim` and `mbs vocabulary`. */
export const trimmingOptions = {
  model: { kind: "resource", resource: "model", description: "the dense model: safetensors or GGUF" },
  corpus: {
    kind: "resource",
    resource: "corpus",
    description:
      "texts of the languages, which show what tokens each uses: YAML manifest, folder of LANG.* files, or hf:datasets/…; the more text, the better",
  },
  field: {
    kind: "text",
    optional: true,
    description: 'field or column that holds texts or conversations (the manifest\'s own, else "text", else "messages")',
  },
  multiple: {
    kind: "integer",
    minimum: 1,
    default: 32,
    description: "keep further tokens, the first by id, until their number is a multiple of this, as packed formats want it",
  },
} as const satisfies OptionTable;

const { model, corpus, ...others } = trimmingOptions;

const allowNonfinite = {
  kind: "flag",
  description: "write tensors with NaN or Inf as they are, and name them, instead of stopping",
  default: false,
} as const;

const options = {
  model,
  corpus,
  keep: { kind: "list", placeholder: "LANG,…", description: "languages to keep: every token of their texts in the corpus stays" },
  ...others,
  allowNonfinite,
} as const satisfies OptionTable;

const writtenFile = (model: ArchitectureModel, { file, metadata, tensors }: WeightFile, onTensor: () => void): WrittenFile => ({
  file,
  metadata: { format: "pt", ...metadata },
  tensors,
  async *read(tensor) {
    yield* storedPieces(model, tensor);
    onTensor();
  },
});

/** config.json with the new ids and the number of rows, which a section has where the language model has one. */
function trimmedConfig(
  { section, layout: { tokenInput } }: ArchitectureModel,
  read: ReadJson,
  { kept: { rows, newId } }: Trimming,
  record: TrimmingRecord,
): string {
  const size = { vocab_size: rows.length, ...(tokenInput && { [tokenInput.rowsKey]: rows.length }) };
  // the experts of a released model are written as they are read
  const changes = { [trimmingKey]: record, quantization_config: undefined };
  const text = renumberedJson(read, newId, { ...(section === undefined && size), ...changes });
  return section === undefined ? text : renumberedJson({ ...read, text }, newId, size, section);
}

/** Configurations, tokenizer and what is carried as it is. */
async function describingFiles(
  model: ArchitectureModel,
  trimming: Trimming,
  record: TrimmingRecord,
): Promise<readonly OutputFile[]> {
  const { newId } = trimming.kept;
  const files: OutputFile[] = [textFile("tokenizer.json", trimming.tokenizerText)];
  for (const name of configurations) {
    const read = await readJson(model, name);
    if (read === undefined) continue;
    files.push(
      textFile(name, name === "config.json" ? trimmedConfig(model, read, trimming, record) : renumberedJson(read, newId)),
    );
  }
  const added = await readJson(model, addedTokensFile);
  if (added !== undefined) {
    files.push(textFile(addedTokensFile, `${JSON.stringify(renumberedTokens(added.json, newId), undefined, 2)}\n`));
  }
  return files;
}

/** The files of the trimmed model, by their paths. */
async function listFiles(
  model: ArchitectureModel,
  trimming: Trimming,
  record: TrimmingRecord,
  onTensor: () => void,
): Promise<readonly OutputFile[]> {
  const { checkpoint, layout } = trimming.trimmed;
  const weights = wholeTensors(
    layout.joined,
    checkpoint.files.map((file) => writtenFile(trimming.trimmed, file, onTensor)),
  );
  const carried = (await listCarriedFiles(model.files))
    // what they say of tokens tokenizer.json says too, with the new ids
    .filter((path) => !tokenizerSources.has(path))
    .map((path): OutputFile => ({ path, content: () => model.files.read(path) }));
  const made = [
    ...weights.map(weightFile),
    ...weightIndex(weights),
    ...(await describingFiles(model, trimming, record)),
    textFile(cardFile, await trimmedCard(model, record, trimming.kept.rows.length)),
  ];
  const byPath = new Map([...carried, ...made].map((file) => [file.path, file]));
  return [...byPath.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function* trimAll(
  model: ArchitectureModel,
  values: {
    readonly corpus: string;
    readonly field: string | undefined;
    readonly keep: readonly string[];
    readonly multiple: number;
  },
  { signal, progress, warn, note }: StageContext,
): AsyncGenerator<FilePiece> {
  try {
    const corpus = await openCorpus(values.corpus, { field: values.field, warn, signal, progress });
    const keep = requireLanguages(values.keep, languagesOf(corpus), "--keep");
    const source = await openTrimmable(model);
    const uses = requireTokens(
      await countTokens(corpus, keep, source.tokenizer, { signal, progress, chat: chatOf(model) }),
      corpus,
    );
    const trimming = await trimVocabulary(source, uses, values.multiple);
    const [before, after] = [wholeSize(partSizes(model)), wholeSize(partSizes(trimming.trimmed))];
    note?.(
      `${trimming.kept.rows.length} of ${model.vocabularySize} rows are kept for ${keep.join(", ")}: ${formatBytes(after)} of ${formatBytes(before)}`,
    );
    if (model.writtenDtype !== undefined && model.writtenDtype !== model.dtype) {
      warn(
        `weights of quantised blocks are written as float32, which holds them exactly; what is assembled of the trimmed model is ${model.writtenDtype} again`,
      );
    }
    const named = new Set(tokenIds(source.json).values());
    const record: TrimmingRecord = {
      source: model.address,
      tokenizer: model.tokenizerAddress,
      rows: model.vocabularySize,
      keep,
      corpus: await corpus.address,
      unnamed: [...trimming.kept.rows].filter((row) => !named.has(row)),
      ...(model.writtenDtype !== undefined && { dtype: model.writtenDtype }),
    };
    const total = model.checkpoint.list().length;
    let done = 0;
    const onTensor = (): void => progress({ activity: "trim", done: ++done, total, unit: "tensors" });
    for (const file of await listFiles(model, trimming, record, onTensor)) yield* filePieces(file, "trim", signal);
    const nonfinite = nonfiniteNote(trimming.trimmed);
    if (nonfinite !== undefined) warn(nonfinite);
  } finally {
    await model.close();
  }
}

/**
 * Stage `trim`: a dense model without the rows of its vocabulary that some languages never use, and a tokenizer without their
 * tokens. Texts of these languages in the corpus encode to the same tokens, and logits of kept tokens are the same.
 *
 * All tensors are written in the dtype that they have; rows are copied byte for byte.
 */
export const trim = defineStage({
  name: "trim",
  summary: "Write a smaller model for some languages, without the tokens that they never use.",
  examples: [
    "mbs vocabulary --model M --corpus texts.yaml --keep en,hi",
    "mbs trim --model M --corpus texts.yaml --keep en,hi --output trimmed/",
    "mbs capture --model trimmed/ < segments.arrow > statistics.arrow",
    "mbs evaluate --model M --model trimmed/ --corpus V",
  ],
  inputs: {},
  outputs: {
    files: { kind: "files", description: "the folder of the trimmed model", folder: true, mayHold: mayHoldModel },
  },
  options,
  async checkPlan(raw, _, pool) {
    const { model: name, corpus, keep } = parseOptions(options, raw, "trim");
    requireLanguages(keep, languagesOf(await openCorpus(corpus)), "--keep");
    const model = await openModel(name, { pool });
    try {
      await openTrimmable(model);
    } finally {
      await model.close();
    }
  },
  async run(_, { model: name, allowNonfinite, ...values }, context) {
    const model = await openModel(name, { ...context, allowNonfinite });
    try {
      const dense = await requireTrimmable(model);
      return { files: encodeFiles(trimAll(dense, values, context), { model: model.address }) };
    } catch (error) {
      await model.close();
      throw error;
    }
  },
});
