import { BadDataError, FailedPreconditionError, InternalError } from "@mbs/contracts";
import { MetadataReader, shortestDecimal } from "@mbs/gguf";
import { decodeWeights } from "@mbs/numbers";
import { ggufTrimmingKey, parseTrimming, trimmingKey } from "../config/trimming-record.ts";
import { parseJsonObject } from "../folder/json-file.ts";
import type { JsonObject } from "../folder/json-file.ts";
import { addressOf } from "../folder/model-address.ts";
import type { ModelDescription } from "../folder/model-description.ts";
import { memoryFiles } from "../folder/model-files.ts";
import type { ModelSource } from "../folder/model-record.ts";
import { shardNumber, singleFile } from "../checkpoint/weight-files.ts";
import { makeTokenizer } from "../tokenizer/tokenizer.ts";
import { denseFile, storedFile } from "./dense-file.ts";
import { dtypeOf } from "./dense-tensor.ts";
import type { DenseTensor } from "./dense-tensor.ts";
import type { GgufFile } from "./gguf-file.ts";
import { vocabularyOf } from "./form/gguf-form.ts";
import type { GgufContents, GgufForm } from "./form/gguf-form.ts";
import { loadGgufForms, typeOfFile } from "./form/load-form.ts";
import { ggufTensorName } from "./gguf-names.ts";
import { tokenizerFromGguf } from "./gguf-tokenizer.ts";
import { listedTensors, nameDenseTensors, refuseOtherForms } from "./named-tensors.ts";
import { openShards } from "./open-shards.ts";
import { readPoolingFiles } from "./pooling-metadata.ts";
import { findText } from "./tokenizer/tokenizer-metadata.ts";

/** Most values of a tensor that becomes a list in config.json. */
const longestList = 65_536;

/** @throws {FailedPreconditionError} for files of other things than models, or of an unknown architecture */
function readKind({ path, metadata }: GgufFile): string {
  const type = metadata.get("general.type") ?? "model";
  if (type !== "model") {
    throw new FailedPreconditionError(`${path} holds no model but ${JSON.stringify(type)}; give the model's own file`, {
      file: path,
    });
  }
  const architecture = metadata.get("general.architecture");
  if (typeof architecture === "string") return architecture;
  throw new BadDataError(`${path} names no general.architecture; convert the model again`, { file: path });
}

/** Values of a small tensor. */
function smallValues(files: readonly GgufFile[], name: string): readonly number[] {
  const [first] = files;
  for (const file of files) {
    const tensor = file.tensors.find((tensor) => tensor.name === name);
    if (tensor === undefined) continue;
    const { shape, type, begin, end } = tensor;
    if (shape.length !== 1 || (shape[0] ?? 0) > longestList || type.plain === undefined) {
      throw new BadDataError(`${file.path}: tensor ${name} is ${type.name} [${shape.join(", ")}], not a short list of numbers`, {
        file: file.path,
        tensor: name,
      });
    }
    const bytes = new Uint8Array(end - begin);
    file.readInto(tensor, 0, bytes);
    return Array.from(decodeWeights(type.plain, bytes, name), shortestDecimal);
  }
  throw new BadDataError(`${first?.path ?? ""} has no tensor ${name}; is the file complete?`, { tensor: name });
}

/** Memory of an open model's metadata and files for each byte of its tokenizer.json: 2.2 at Gemma 3's vocabulary. */
const heldPerByte = 2;

/** `dtype` of config.json: that of all matrices, or float32. */
function configDtype(tensors: readonly DenseTensor[]): string {
  const dtypes = new Set(tensors.filter(({ shape }) => shape.length > 1).map(dtypeOf));
  const [dtype, ...others] = dtypes;
  return others.length > 0 ? "float32" : dtype === "f16" ? "float16" : dtype === "bf16" ? "bfloat16" : "float32";
}

/** Special tokens, as config.json and generation_config.json have them. */
function tokenIds(metadata: MetadataReader, vocabulary: number): Record<string, number> {
  const keys = { bos_token_id: "bos_token_id", eos_token_id: "eos_token_id", pad_token_id: "padding_token_id" };
  return Object.fromEntries(
    Object.entries(keys).flatMap(([key, name]) => {
      const id = metadata.findCount(`tokenizer.ggml.${name}`);
      if (id !== undefined && id >= vocabulary)
        metadata.broken(`tokenizer.ggml.${name}`, `below the ${vocabulary} tokens of the vocabulary`);
      return id === undefined ? [] : [[key, id]];
    }),
  );
}

/**
 * How the vocabulary was trimmed, under the key of config.json.
 *
 * @param kept rows of the embedding
 */
function trimmingOf({ metadata, path }: MetadataReader, kept: number): JsonObject {
  const record = findText(metadata, ggufTrimmingKey, path);
  if (record === undefined) return {};
  const value = parseJsonObject(new TextEncoder().encode(record), `${ggufTrimmingKey} of ${path}`, path);
  const remedy = "write the file again from the trimmed model";
  return { [trimmingKey]: parseTrimming(value, kept, { file: path, key: ggufTrimmingKey, remedy }) };
}

/** @throws {BadDataError} where the file has not one token a row of the embedding */
function requireTokens(metadata: MetadataReader, vocabulary: number): void {
  const tokens = metadata.find("tokenizer.ggml.tokens");
  if (typeof tokens !== "object" || tokens.length === vocabulary) return;
  throw new BadDataError(
    `${metadata.path}: tokenizer.ggml.tokens has ${tokens.length} tokens, token_embd.weight has ${vocabulary} rows; convert the model again`,
    { file: metadata.path, expected: vocabulary, actual: tokens.length },
  );
}

/** The head of a model card, for what the metadata say of its licence. */
function cardOf(metadata: MetadataReader): string | undefined {
  const lines = [
    ["license", "general.license"],
    ["license_name", "general.license.name"],
    ["license_link", "general.license.link"],
  ].flatMap(([key = "", name = ""]) => {
    const value = metadata.findText(name);
    return value === undefined || !/^[^\r\n]+$/.test(value) ? [] : [`${key}: ${value}`];
  });
  return lines.length === 0 ? undefined : `---\n${lines.join("\n")}\n---\n`;
}

const json = (value: object): string => `${JSON.stringify(value, undefined, 2)}\n`;

/** Keys of sections of rotary positions that transformers declares as float. */
const rotaryFloats = /(_theta|factor|^beta_fast|^beta_slow)$/;
const floatMark = "float of config.json: ";

/** config.json, with a decimal point in every number of a float key, which JSON.stringify does not write. */
function configJson(config: JsonObject, floats: ReadonlySet<string>): string {
  const marked = (value: unknown): unknown =>
    typeof value === "number" && Number.isInteger(value) ? `${floatMark}${value.toFixed(1)}` : value;
  const text = JSON.stringify(
    config,
    (key, value: unknown) =>
      !floats.has(key) && !rotaryFloats.test(key) ? value : Array.isArray(value) ? value.map(marked) : marked(value),
    2,
  );
  return `${text.replaceAll(new RegExp(`"${floatMark}([^"]+)"`, "g"), "$1")}\n`;
}

/** @param pooling files that say how an encoder pools states */
function describe(
  contents: GgufContents,
  form: GgufForm,
  config: JsonObject,
  { tokens, pooling }: { readonly tokens: JsonObject; readonly pooling: ReadonlyMap<string, object> },
): ModelDescription {
  const { metadata } = contents;
  const readTokenizer = () => tokenizerFromGguf(metadata.metadata, metadata.path);
  const { tokenizer, config: tokenizerConfig } = readTokenizer();
  const card = cardOf(metadata);
  const encoder = new TextEncoder();
  const files = new Map(
    Object.entries({
      ...Object.fromEntries([...pooling].map(([name, value]) => [name, json(value)])),
      "config.json": configJson(config, new Set(form.fields.flatMap(({ float = [] }) => float))),
      "tokenizer.json": JSON.stringify(tokenizer),
      "tokenizer_config.json": json(tokenizerConfig),
      ...(Object.keys(tokens).length > 0 && { "generation_config.json": json(tokens) }),
      ...(card !== undefined && { "README.md": card }),
    }).map(([name, text]) => [name, encoder.encode(text)]),
  );
  const part = (name: string): [string, Uint8Array] => {
    const bytes = files.get(name);
    if (bytes === undefined) throw new InternalError(`${metadata.path}: ${name} was not made`);
    return [name, bytes];
  };
  const parts = new Map([part("config.json"), part("tokenizer.json")]);
  return {
    config,
    configFile: metadata.path,
    files: memoryFiles(files),
    parts,
    heldBytes: part("tokenizer.json")[1].length * heldPerByte,
    tokenizerAddress: addressOf(part("tokenizer.json")[1]),
    // made again: it is large, and a model may stay open for long
    tokenizer: () =>
      Promise.resolve()
        .then(readTokenizer)
        .then((made) => makeTokenizer(metadata.path, made.tokenizer, made.config)),
  };
}

/** Keys of later versions of llama.cpp, or of models that differ from the architecture as it is known here. */
const unreadNote = (path: string, keys: readonly string[]): readonly string[] =>
  keys.length === 0
    ? []
    : [
        `${path} has metadata that are not read for this architecture: ${keys.join(", ")}; if the model depends on one of them, results are wrong`,
      ];

/** Name of a file in the folder of safetensors that the model would be. */
function safetensorsName(index: number, count: number): string {
  return count === 1 ? singleFile : `model-${shardNumber(index, count)}.safetensors`;
}

async function readSource(path: string, files: readonly [GgufFile, ...GgufFile[]]): Promise<ModelSource> {
  const [first] = files;
  const name = readKind(first);
  const tensors = new Map(files.flatMap((file) => file.tensors.map((tensor) => [tensor.name, tensor])));
  const contents: GgufContents = {
    metadata: new MetadataReader(first.path, first.metadata, name),
    tensors,
    read: (tensor) => smallValues(files, tensor),
  };
  const { metadata } = contents;
  const forms = await loadGgufForms(name, first.path);
  refuseOtherForms(contents, forms);
  const [modelType, form] = typeOfFile(forms, contents);
  const config: JsonObject = Object.assign(
    { model_type: modelType, architectures: [form.className] },
    ...form.fields.map(({ read }) => read?.(contents)),
  );
  const vocabulary = vocabularyOf(contents);
  requireTokens(metadata, vocabulary);
  const tokens = tokenIds(metadata, vocabulary);
  const listed = listedTensors(contents, form);
  const pooling = form.pools === true ? readPoolingFiles(contents) : new Map<string, object>();
  const dense = files.map((file, index) => [
    ...nameDenseTensors(file.tensors, form, config, { path: file.path, architecture: name }),
    ...(index === 0 ? listed : []),
  ]);
  const whole = { ...config, dtype: configDtype(dense.flat()), ...tokens, ...trimmingOf(metadata, vocabulary) };
  const views = files.map((file, index) => denseFile(file, safetensorsName(index, files.length), dense[index] ?? []));
  return {
    path,
    weightFiles: files.map((file) => file.path),
    stored: files.map((file, index) => storedFile(file, safetensorsName(index, files.length))),
    files: views,
    // float32 would hold the values exactly, at four times the size of 8 bits
    writtenDtype: dense.flat().some(({ source }) => source.type.plain === undefined) ? "bf16" : undefined,
    notes: unreadNote(first.path, metadata.unread()),
    nameInFile: (tensor) => ggufTensorName(form.tensors, tensor, [form.prefix])?.name ?? tensor,
    describe: () => Promise.resolve().then(() => describe(contents, form, whole, { tokens, pooling })),
  };
}

/**
 * Opens a GGUF file, and those that belong to it, as a model: its tensors under the names and in the form of a Hugging Face
 * checkpoint, quantised ones as float32, and the files of a folder made of its metadata.
 *
 * @throws {BadDataError} where a file is missing, broken, or contradicts itself or another one
 * @throws {FailedPreconditionError} for an architecture, a type of tensors or a setting that is not supported
 */
export async function openGguf(path: string): Promise<ModelSource> {
  const files = await openShards(path);
  try {
    return await readSource(path, files);
  } catch (error) {
    for (const file of files) file.close();
    throw error;
  }
}
