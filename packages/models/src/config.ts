import { BadDataError, FailedPreconditionError } from "@mbs/contracts";
import type { JsonObject } from "./json-file.ts";

/** More than any size, number of heads or context; beyond it tables of a broken configuration would fill the memory. */
const largestCount = 2 ** 24;

/** Typed look-ups in a config.json, with one message for all faults. A key whose value is null counts as absent. */
export interface ConfigReader {
  has(key: string): boolean;
  /** The first of `keys` that is there, a whole number from 1 to 2²⁴. */
  count(...keys: readonly string[]): number;
  optionalCount(...keys: readonly string[]): number | undefined;
  number(key: string, fallback: number): number;
  optionalNumber(key: string): number | undefined;
  /** A number > 0; it must be there where there is no fallback. */
  positive(key: string, fallback?: number): number;
  flag(key: string, fallback: boolean): boolean;
  /** One of the texts that this program handles. @throws {FailedPreconditionError} naming them */
  choice<Text extends string>(key: string, supported: readonly Text[], fallback: Text): Text;
  /** A list with one text a block. */
  optionalTexts(key: string): readonly string[] | undefined;
  /** A list of numbers above 0. */
  numbers(key: string): readonly number[];
  optionalSection(key: string): ConfigReader | undefined;
  /** @throws {FailedPreconditionError} unless the key is absent or has this value: others change the maths in a way not built */
  requireOnly(key: string, value: boolean | number | string | readonly never[]): void;
  /** @throws {BadDataError} that says what the key must be */
  broken(key: string, wanted: string): never;
  /** @throws {FailedPreconditionError} with `remedy`; `key` and its value are named */
  refuse(key: string, remedy: string): never;
}

const isPositive = (value: unknown): value is number => typeof value === "number" && value > 0 && value < Infinity;

/**
 * @param file path of the config.json, for messages
 * @param prefix of the keys in messages: "rope_scaling."
 */
export function readConfig(config: JsonObject, file: string, prefix = ""): ConfigReader {
  const find = (keys: readonly string[]): { key: string; value: unknown } | undefined => {
    const key = keys.find((name) => Object.hasOwn(config, name) && config[name] !== null);
    return key === undefined ? undefined : { key, value: config[key] };
  };
  const valueOf = (key: string): unknown => find([key])?.value;
  const shown = (key: string): string => JSON.stringify(valueOf(key)) ?? "absent";
  const broken = (key: string, wanted: string): never => {
    throw new BadDataError(`${file}: ${prefix}${key} must be ${wanted}, not ${shown(key)}; correct the configuration`, {
      file,
      key,
    });
  };
  const refuse = (key: string, remedy: string): never => {
    throw new FailedPreconditionError(`${file}: ${prefix}${key} ${shown(key)} is not supported; ${remedy}`, { file, key });
  };
  const optionalCount = (...keys: readonly string[]): number | undefined => {
    const found = find(keys);
    if (found === undefined) return undefined;
    const { key, value } = found;
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 1) return broken(key, "a whole number, at least 1");
    return value <= largestCount ? value : broken(key, `at most ${largestCount}`);
  };
  const optionalNumber = (key: string): number | undefined => {
    const value = valueOf(key);
    if (value === undefined) return undefined;
    return typeof value === "number" && Number.isFinite(value) ? value : broken(key, "a number");
  };
  return {
    has: (key) => valueOf(key) !== undefined,
    optionalCount,
    count: (...keys) => optionalCount(...keys) ?? broken(keys[0] ?? "", "a whole number, at least 1"),
    optionalNumber,
    number: (key, fallback) => optionalNumber(key) ?? fallback,
    positive(key, fallback) {
      const value = optionalNumber(key) ?? fallback;
      return value !== undefined && value > 0 ? value : broken(key, "above 0");
    },
    flag(key, fallback) {
      const value = valueOf(key) ?? fallback;
      return typeof value === "boolean" ? value : broken(key, "true or false");
    },
    choice: (key, supported, fallback) =>
      find([key]) === undefined
        ? fallback
        : (supported.find((text) => text === valueOf(key)) ?? refuse(key, `supported: ${supported.join(", ")}`)),
    optionalTexts(key) {
      const value = valueOf(key);
      if (value === undefined) return undefined;
      return Array.isArray(value) && value.every((entry) => typeof entry === "string") ? value : broken(key, "a list of texts");
    },
    numbers(key) {
      const value = valueOf(key);
      return Array.isArray(value) && value.every(isPositive) ? value : broken(key, "a list of numbers above 0");
    },
    optionalSection(key) {
      const value = valueOf(key);
      if (value === undefined) return undefined;
      if (typeof value !== "object" || value === null || Array.isArray(value)) return broken(key, "an object");
      return readConfig(value as JsonObject, file, `${prefix}${key}.`);
    },
    requireOnly(key, value) {
      const only = JSON.stringify(value);
      if (find([key]) !== undefined && shown(key) !== only) refuse(key, `only ${only} is`);
    },
    broken,
    refuse,
  };
}
