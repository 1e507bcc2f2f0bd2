import { BadDataError } from "@mbs/contracts";
import type { JsonObject } from "./json-file.ts";

/** Typed look-ups in a config.json, with one message for all faults. */
export interface ConfigReader {
  /** The first of `keys` that is there, a whole number ≥ 1. */
  count(...keys: readonly string[]): number;
  optionalCount(...keys: readonly string[]): number | undefined;
  number(key: string, fallback: number): number;
  flag(key: string, fallback: boolean): boolean;
}

/** @param file path of the config.json, for messages */
export function readConfig(config: JsonObject, file: string): ConfigReader {
  const find = (keys: readonly string[]): { key: string; value: unknown } | undefined => {
    const key = keys.find((name) => Object.hasOwn(config, name) && config[name] !== null);
    return key === undefined ? undefined : { key, value: config[key] };
  };
  const refuse = (key: string, wanted: string): never => {
    const value = JSON.stringify(find([key])?.value);
    throw new BadDataError(`${file}: ${key} must be ${wanted}, not ${value ?? "absent"}; correct the configuration`, {
      file,
      key,
    });
  };
  const optionalCount = (...keys: readonly string[]): number | undefined => {
    const found = find(keys);
    if (found === undefined) return undefined;
    const { key, value } = found;
    return typeof value === "number" && Number.isSafeInteger(value) && value >= 1
      ? value
      : refuse(key, "a whole number, at least 1");
  };
  return {
    optionalCount,
    count: (...keys) => optionalCount(...keys) ?? refuse(keys[0] ?? "", "a whole number, at least 1"),
    number(key, fallback) {
      const value = find([key])?.value ?? fallback;
      return typeof value === "number" && Number.isFinite(value) ? value : refuse(key, "a number");
    },
    flag(key, fallback) {
      const value = find([key])?.value ?? fallback;
      return typeof value === "boolean" ? value : refuse(key, "true or false");
    },
  };
}
