import { stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { BadDataError, isObject } from "@mbs/contracts";
import { isMissing, readJsonFile } from "./json-file.ts";
import { ggufFile } from "../checkpoint/weight-files.ts";
import type { WeightDtype } from "@mbs/numbers";
import type { TensorFile } from "../checkpoint/checkpoint.ts";
import type { ModelDescription } from "./model-description.ts";

/** Whether a path is that of a GGUF file, which is a model by itself. */
export const isGguf = (path: string): boolean => /\.gguf$/i.test(path);

/** Weights and description of a model, in whatever form they are stored. */
export interface ModelSource {
  /** The folder or file that it was opened from. */
  readonly path: string;
  /** Paths of the files on disk that hold its weights. */
  readonly weightFiles: readonly string[];
  /** The tensors as they are stored, for the address. */
  readonly stored: readonly TensorFile[];
  /** The tensors as a checkpoint has them: the same files, but for formats that are not read as they are stored. */
  readonly files: readonly TensorFile[];
  /** As in ArchitectureModel. */
  readonly writtenDtype: WeightDtype | undefined;
  /** What the user should know, a line each. */
  readonly notes: readonly string[];
  /** The name that a tensor has in the files, for messages; absent where that is the checkpoint's. */
  readonly nameInFile?: (tensor: string) => string;
  /** @throws {BadDataError} when configuration or tokenizer is missing or broken */
  readonly describe: () => Promise<ModelDescription>;
}

/** Name of the file in a model's folder that says how it was made. */
export const recordFile = "mbs.json";

/** Name of the model card in a model's folder, which is rewritten when more is known. */
export const cardFile = "README.md";

const recordLimit = 100_000_000;
const recordVersion = 1;

/** How one artifact of layers in a model was made. */
export interface RecordedLayers {
  readonly address: string;
  readonly solver: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** The column order. */
  readonly order: string;
  /** The calibration mix: language → weight. */
  readonly weights: Readonly<Record<string, number>>;
}

/** What mbs.json says of a compressed model. */
export interface ModelRecord {
  /** Content address of the model that was compressed. */
  readonly model: string;
  /** Bytes of that model's weight files; absent in records of older versions. */
  readonly sourceBytes?: number;
  /** How its weights are stored. */
  readonly format: string;
  readonly layers: readonly RecordedLayers[];
  /** Paths of all files that were written, relative to the folder, with "/" between parts; absent where that is not known. */
  readonly files?: readonly string[];
  /** Bytes of each file of weights, by its path as in `files`; absent in records of older versions. */
  readonly weightFiles?: Readonly<Record<string, number>>;
}

const isPaths = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((path) => typeof path === "string");

const isBytes = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

const isSizes = (value: unknown): value is Readonly<Record<string, number>> =>
  isObject(value) && Object.values(value).every(isBytes);

const isLayers = (value: unknown): value is RecordedLayers =>
  isObject(value) &&
  typeof value["address"] === "string" &&
  typeof value["solver"] === "string" &&
  typeof value["order"] === "string" &&
  isObject(value["options"]) &&
  isObject(value["weights"]) &&
  Object.values(value["weights"]).every(Number.isFinite);

const statusOf = (path: string) =>
  stat(path).catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });

/**
 * How a model was compressed.
 *
 * @param model path of its folder, or of a GGUF file, whose record stands beside it
 * @param warn takes what is wrong with an mbs.json beside a GGUF file, which then is as good as none; without it, that is thrown
 * @returns undefined where this program did not make it: there is no mbs.json, or the one beside a GGUF file does not name it
 * @throws {BadDataError} where mbs.json is malformed, or of a GGUF file of another size
 */
export async function readModelRecord(model: string, warn?: (message: string) => void): Promise<ModelRecord | undefined> {
  const isOneFile = isGguf(model) && (await statusOf(model))?.isFile() === true;
  const path = join(isOneFile ? dirname(model) : model, recordFile);
  if ((await statusOf(path)) === undefined) return undefined;
  try {
    const record = await readRecordFile(path);
    if (isOneFile && record.files?.includes(basename(model)) !== true) return undefined;
    await requireSize(record, isOneFile ? model : join(model, ggufFile), path);
    return record;
  } catch (error) {
    if (warn === undefined || !isOneFile || !(error instanceof BadDataError)) throw error;
    warn(`how ${model} was made is not known: ${error.message}`);
    return undefined;
  }
}

/** @throws {BadDataError} where a GGUF file has another size than its record says: a file of the same name took its place */
async function requireSize({ weightFiles = {} }: ModelRecord, gguf: string, path: string): Promise<void> {
  const name = basename(gguf);
  const expected = Object.hasOwn(weightFiles, name) ? weightFiles[name] : undefined;
  const size = (await statusOf(gguf))?.size;
  if (expected === undefined || size === undefined || size === expected) return;
  throw new BadDataError(
    `${path} is of another ${name}, of ${expected} bytes where this one has ${size}; copy the mbs.json that belongs to it, or remove this one`,
    { file: path, expected, found: size },
  );
}

async function readRecordFile(path: string): Promise<ModelRecord> {
  const { value } = await readJsonFile(path, recordLimit);
  const { version, model, sourceBytes, format = "dense", layers, files, weightFiles } = value;
  if (typeof version === "number" && version !== recordVersion) {
    throw new BadDataError(
      `${path} has version ${version}, supported: ${recordVersion}; read it with the mbs that wrote it, or assemble the model again`,
      { file: path, found: version, supported: recordVersion },
    );
  }
  const whole = version === recordVersion && typeof model === "string" && typeof format === "string" && Array.isArray(layers);
  const areFiles = (files === undefined || isPaths(files)) && (weightFiles === undefined || isSizes(weightFiles));
  const isSource = sourceBytes === undefined || isBytes(sourceBytes);
  if (!whole || !layers.every(isLayers) || !areFiles || !isSource) {
    throw new BadDataError(`${path} is no record of a compressed model; assemble it again, or remove the file`, { file: path });
  }
  const sizes = { ...(sourceBytes !== undefined && { sourceBytes }), ...(weightFiles !== undefined && { weightFiles }) };
  return { model, format, layers, ...(files !== undefined && { files }), ...sizes };
}

/** The mean of the calibration mixes that layers were made with: language → share, sum 1. */
export function meanMix(layers: readonly RecordedLayers[]): Readonly<Record<string, number>> {
  const mean = new Map<string, number>();
  for (const { weights } of layers) {
    const sum = Object.values(weights).reduce((all, weight) => all + weight, 0);
    for (const [language, weight] of Object.entries(weights)) {
      mean.set(language, (mean.get(language) ?? 0) + weight / sum / layers.length);
    }
  }
  return Object.fromEntries(mean);
}
