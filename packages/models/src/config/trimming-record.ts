import { isAddress } from "@mbs/artifacts";
import { BadDataError, isObject } from "@mbs/contracts";
import { isWeightDtype, type WeightDtype } from "@mbs/numbers";
import type { JsonObject } from "../folder/json-file.ts";

/** What config.json of a trimmed model, or the metadata of its GGUF file, says of it: which model it came from, and for which languages its rows were chosen. */
export interface TrimmingRecord {
  /** Content address of the model that was trimmed. */
  readonly source: string;
  /** Content address of that model's tokenizer.json. */
  readonly tokenizer: string;
  /** Rows of that model's embedding. */
  readonly rows: number;
  /** The languages whose tokens were kept. */
  readonly keep: readonly string[];
  /** Content address of the texts that say which tokens these are. */
  readonly corpus: string;
  /** Rows of that model without a token that were kept, ascending: a configuration names them. */
  readonly unnamed: readonly number[];
  /** What is made of the trimmed model is written with it: its weights are float32 only to hold those of quantised blocks. */
  readonly dtype?: WeightDtype;
}

/** The key of config.json, which other programs do not read. */
export const trimmingKey = "mbs_trimming";

/** The key of a GGUF file's metadata: the same record as JSON. Other programs do not read it. */
export const ggufTrimmingKey = "mbs.trimming";

/** Ids of tokens are 32-bit integers in llama.cpp and in most graphs, so no model has more rows. */
const mostRows = 2 ** 31;

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((text) => typeof text === "string");

const isAscending = (value: unknown): value is readonly number[] =>
  Array.isArray(value) &&
  value.every((row: unknown, index) => Number.isSafeInteger(row) && Number(row) > (index === 0 ? -1 : Number(value[index - 1])));

/** Where a record stands, for messages. */
interface RecordPlace {
  readonly file: string;
  readonly key: string;
  /** What to do where it is wrong. */
  readonly remedy: string;
}

/**
 * A record of a trimmed vocabulary.
 *
 * @param kept rows of the trimmed model's embedding
 * @throws {BadDataError} where it is malformed, or the model cannot have been trimmed so
 */
export function parseTrimming(value: unknown, kept: number, { file, key, remedy }: RecordPlace): TrimmingRecord {
  const broken = (what: string): BadDataError => new BadDataError(`${file}: ${key} ${what}; ${remedy}`, { file, key });
  const { source, tokenizer, rows, keep, corpus, unnamed, dtype } = isObject(value) ? value : {};
  const known = dtype === undefined ? {} : isWeightDtype(dtype) ? { dtype } : undefined;
  const isCount = typeof rows === "number" && Number.isSafeInteger(rows) && rows > 0 && rows <= mostRows;
  if (!isCount || !isTexts(keep) || !isAscending(unnamed) || known === undefined) {
    throw broken("is no record of a trimmed vocabulary");
  }
  if (!isAddress(source) || !isAddress(tokenizer) || !isAddress(corpus)) {
    throw broken("has a source, tokenizer or corpus that is no address of 64 digits 0-9a-f");
  }
  if (rows < kept) throw broken(`says that the model had ${rows} rows, and it still has ${kept}`);
  const last = unnamed.at(-1);
  if (last !== undefined && last >= rows) throw broken(`keeps row ${last} of a model that had ${rows} rows`);
  return { source, tokenizer, rows, keep, corpus, unnamed, ...known };
}

/**
 * How a model was trimmed; undefined where it was not.
 *
 * @param file path of the config.json, for messages
 * @param kept rows of the model's embedding
 * @throws {BadDataError} as parseTrimming
 */
export function readTrimming(config: JsonObject, file: string, kept: number): TrimmingRecord | undefined {
  if (!Object.hasOwn(config, trimmingKey)) return undefined;
  const remedy = "trim the model again, or remove the key";
  return parseTrimming(config[trimmingKey], kept, { file, key: trimmingKey, remedy });
}
