import { stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { BadDataError, isObject } from "@mbs/contracts";
import { isMissing, readJsonFile } from "./json-file.ts";
import { isGguf } from "./model-source.ts";

/** Name of the file in a model's folder that says how it was made. */
export const recordFile = "mbs.json";

/** Name of the model card in a model's folder, which is rewritten when more is known. */
export const cardFile = "README.md";

const recordLimit = 100_000_000;

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
  /** How its weights are stored. */
  readonly format: string;
  readonly layers: readonly RecordedLayers[];
  /** Paths of all files that were written, relative to the folder, with "/" between parts; absent where that is not known. */
  readonly files?: readonly string[];
}

const isPaths = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((path) => typeof path === "string");

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
 * @returns undefined where this program did not make it: there is no mbs.json, or the one beside a GGUF file does not name it
 * @throws {BadDataError} where mbs.json is malformed
 */
export async function readModelRecord(model: string): Promise<ModelRecord | undefined> {
  const isOneFile = isGguf(model) && (await statusOf(model))?.isFile() === true;
  const path = join(isOneFile ? dirname(model) : model, recordFile);
  if ((await statusOf(path)) === undefined) return undefined;
  const record = await readRecordFile(path);
  return isOneFile && record.files?.includes(basename(model)) !== true ? undefined : record;
}

async function readRecordFile(path: string): Promise<ModelRecord> {
  const { value } = await readJsonFile(path, recordLimit);
  const { version, model, format = "dense", layers, files } = value;
  const whole = version === 1 && typeof model === "string" && typeof format === "string" && Array.isArray(layers);
  if (!whole || !layers.every(isLayers) || !(files === undefined || isPaths(files))) {
    throw new BadDataError(`${path} is no record of a compressed model; assemble it again, or remove the file`, { file: path });
  }
  return { model, format, layers, ...(files !== undefined && { files }) };
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
