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

const isRows = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every((row) => Number.isSafeInteger(row) && row >= 0);

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((text) => typeof text === "string");

/**
 * How a model was trimmed; undefined where it was not.
 *
 * @param file path of the config.json, for messages
 * @throws {BadDataError} where the record is malformed
 */
export function readTrimming(config: JsonObject, file: string): TrimmingRecord | undefined {
  if (!Object.hasOwn(config, trimmingKey)) return undefined;
  const value = config[trimmingKey];
  const { source, tokenizer, rows, keep, corpus, unnamed, dtype } = isObject(value) ? value : {};
  const known = dtype === undefined ? {} : isWeightDtype(dtype) ? { dtype } : undefined;
  const hasAddresses = typeof source === "string" && typeof tokenizer === "string" && typeof corpus === "string";
  const hasRows = typeof rows === "number" && Number.isSafeInteger(rows) && rows > 0;
  if (hasAddresses && hasRows && isTexts(keep) && isRows(unnamed) && known !== undefined) {
    return { source, tokenizer, rows, keep, corpus, unnamed, ...known };
  }
  throw new BadDataError(
    `${file}: ${trimmingKey} is no record of a trimmed vocabulary; trim the model again, or remove the key`,
    {
      file,
      key: trimmingKey,
    },
  );
}
