import { BadDataError, isObject } from "@mbs/contracts";
import { isWeightDtype, type WeightDtype } from "@mbs/numbers";
import type { JsonObject } from "../folder/json-file.ts";

/** Kinds of rotation: of a Hadamard matrix with random signs, of a random orthogonal one, or none. */
export const rotationKinds = ["hadamard", "random", "none"] as const;

export type RotationKind = (typeof rotationKinds)[number];

/** What config.json of a rotated model says of it: enough to make the same rotation again. */
export interface RotationRecord {
  /** Of the residual stream. */
  readonly stream: RotationKind;
  /** Of the values of attention heads. */
  readonly values: RotationKind;
  readonly seed: number;
  /** Content address of the model that was rotated. */
  readonly source: string;
  /** Of that model's linear weights: what is made of the rotated one is written with it. */
  readonly dtype: WeightDtype;
}

/** The key of config.json, which other programs do not read. */
export const rotationKey = "mbs_rotation";

const isKind = (value: unknown): value is RotationKind => rotationKinds.some((kind) => kind === value);

/**
 * How a model was rotated; undefined where it was not.
 *
 * @param file path of the config.json, for messages
 * @throws {BadDataError} where the record is malformed
 */
export function readRotation(config: JsonObject, file: string): RotationRecord | undefined {
  if (!Object.hasOwn(config, rotationKey)) return undefined;
  const value = config[rotationKey];
  const { stream, values, seed, source, dtype } = isObject(value) ? value : {};
  const isSeed = typeof seed === "number" && Number.isSafeInteger(seed);
  if (isKind(stream) && isKind(values) && isSeed && typeof source === "string" && isWeightDtype(dtype)) {
    return { stream, values, seed, source, dtype };
  }
  throw new BadDataError(`${file}: ${rotationKey} is no record of a rotation; rotate the model again, or remove the key`, {
    file,
    key: rotationKey,
  });
}
