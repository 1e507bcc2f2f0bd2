import { BadDataError, FailedPreconditionError } from "@mbs/contracts";
import type { JsonObject } from "../folder/json-file.ts";
import type { Aliases, Keys, ValuesOf } from "./config-keys.ts";
import { harmlessNames } from "./harmless-keys.ts";

/** A configuration whose keys were read by a table of keys. */
export interface Config<Values> {
  readonly values: Values;
  /** Whether the key is there, be it null. */
  readonly has: (key: keyof Values & string) => boolean;
  /** Reads a part of the configuration; its unknown keys join those of the whole. */
  readonly section: <Table extends Keys>(key: string, part: JsonObject, table: Table) => Config<ValuesOf<Table>>;
  /** @throws {BadDataError} that says what the key must be */
  readonly broken: (key: string, wanted: string) => never;
  /** @throws {FailedPreconditionError} with `remedy`; `key` and its value are named */
  readonly refuse: (key: string, remedy: string) => never;
}

/** Characters of a value in a message. */
const longestShown = 80;

/** Where a configuration comes from, for messages, and how its keys are spelled. */
export interface ConfigSource {
  /** Path of the config.json, for messages. */
  readonly file: string;
  /** Of the keys in messages: "rope_scaling." */
  readonly prefix?: string;
  readonly aliases?: Aliases;
  /** Receives the names of keys that are neither in the table nor harmless, unless they are null. */
  readonly unknown: string[];
}

/**
 * Reads the keys of a table as the class of transformers does: an absent one takes its default, null is a value.
 *
 * @throws {BadDataError} where a value is broken, null included where the class takes none
 * @throws {FailedPreconditionError} where a value is not supported
 */
export function readConfig<Table extends Keys>(json: JsonObject, table: Table, source: ConfigSource): Config<ValuesOf<Table>> {
  const { file, prefix = "", aliases = {}, unknown } = source;
  const has = (key: string): boolean => Object.hasOwn(json, key);
  const shown = (key: string): string => {
    const value = JSON.stringify(has(key) ? json[key] : undefined) ?? "absent";
    return value.length > longestShown ? `${value.slice(0, longestShown)}…` : value;
  };
  const broken = (key: string, wanted: string): never => {
    throw new BadDataError(`${file}: ${prefix}${key} must be ${wanted}, not ${shown(key)}; correct the configuration`, {
      file,
      key,
    });
  };
  const refuse = (key: string, remedy: string): never => {
    throw new FailedPreconditionError(`${file}: ${prefix}${key} ${shown(key)} is not supported; ${remedy}`, { file, key });
  };
  const spellings = new Map(Object.keys(table).map((key) => [key, key]));
  for (const [alias, key] of Object.entries(aliases)) {
    if (!has(alias)) continue;
    if (has(key) && shown(key) !== shown(alias))
      refuse(alias, `it is another name of ${key}, which is ${shown(key)}; leave one out`);
    spellings.set(key, alias);
  }
  const values = Object.entries(table).map(([key, { fallback, read }]) => {
    const spelling = spellings.get(key) ?? key;
    if (!has(spelling)) return [key, fallback];
    return [
      key,
      read(json[spelling], {
        broken: (wanted) => broken(spelling, wanted),
        refuse: (remedy) => refuse(spelling, remedy),
      }),
    ];
  });
  const isKnown = (key: string): boolean =>
    Object.hasOwn(table, key) || Object.hasOwn(aliases, key) || harmlessNames.has(key) || key.startsWith("_");
  unknown.push(...Object.keys(json).flatMap((key) => (json[key] === null || isKnown(key) ? [] : [`${prefix}${key}`])));
  return {
    values: Object.fromEntries(values) as ValuesOf<Table>,
    has: (key) => has(spellings.get(key) ?? key),
    section: (key, part, inner) => readConfig(part, inner, { file, prefix: `${prefix}${key}.`, unknown }),
    broken,
    refuse,
  };
}
