import { isObject } from "@mbs/contracts";
import { mostBlocks, mostExperts } from "@mbs/gguf";
import type { JsonObject } from "../folder/json-file.ts";

/** More than any size, number of heads or context; beyond it tables of a broken configuration would fill the memory. */
const largestCount = 2 ** 24;

/** How the reader of a key refuses a value. */
export interface KeyFault {
  /** @throws {BadDataError} that says what the key must be */
  readonly broken: (wanted: string) => never;
  /** @throws {FailedPreconditionError} with `remedy` */
  readonly refuse: (remedy: string) => never;
}

/** A key of config.json: how its value is read, and what the class of transformers takes where the key is absent. */
export interface Key<Value> {
  readonly fallback: Value;
  /** Whether shapes of tensors follow from it. */
  readonly isSize?: boolean;
  /** Reads a value that is there, null included: where the class takes no null, it is refused. */
  readonly read: (value: unknown, fault: KeyFault) => Value;
}

/** All keys that a model type knows, those that its graph depends on and those that are only checked. */
export type Keys = Readonly<Record<string, Key<unknown>>>;

export type ValuesOf<Table extends Keys> = {
  readonly [Name in keyof Table]: Table[Name] extends Key<infer Value> ? Value : never;
};

/** Names by which transformers takes another key of the same type: alias → key. */
export type Aliases = Readonly<Record<string, string>>;

const isFinite = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);
const isText = (value: unknown): value is string => typeof value === "string";

const countUpTo =
  (largest: number) =>
  (fallback: number): Key<number> => ({
    fallback,
    isSize: true,
    read(value, fault) {
      if (!isFinite(value) || !Number.isSafeInteger(value) || value < 1) return fault.broken("a whole number, at least 1");
      return value <= largest ? value : fault.broken(`at most ${largest}`);
    },
  });

/** A whole number, at least 1: a size, a number of heads. */
export const count = countUpTo(largestCount);

/** A number of blocks. */
export const blockCount = countUpTo(mostBlocks);

/** A number of experts. */
export const expertCount = countUpTo(mostExperts);

/** Any whole number. */
export const integer = (fallback: number): Key<number> => ({
  fallback,
  read: (value, fault) => (isFinite(value) && Number.isSafeInteger(value) ? value : fault.broken("a whole number")),
});

export const number = (fallback: number): Key<number> => ({
  fallback,
  read: (value, fault) => (isFinite(value) ? value : fault.broken("a number")),
});

/** A number above 0. */
export const positive = (fallback: number): Key<number> => ({
  fallback,
  read: (value, fault) => (isFinite(value) && value > 0 ? value : fault.broken("above 0")),
});

export const flag = (fallback: boolean): Key<boolean> => ({
  fallback,
  read: (value, fault) => (typeof value === "boolean" ? value : fault.broken("true or false")),
});

export const text = (fallback: string): Key<string> => ({
  fallback,
  read: (value, fault) => (isText(value) ? value : fault.broken("a string")),
});

/** One of the supported strings; others are refused, naming the supported ones. */
export const choice = <Text extends string>(supported: readonly Text[], fallback: Text): Key<Text> => ({
  fallback,
  read(value, fault) {
    if (!isText(value)) return fault.broken("a string");
    return supported.find((name) => name === value) ?? fault.refuse(`supported: ${supported.join(", ")}`);
  },
});

/** The one supported value; others would change the maths and are refused by name. */
export const only = <Value extends boolean | number | null | readonly never[]>(value: Value): Key<Value> => ({
  fallback: value,
  read: (found, fault) =>
    JSON.stringify(found) === JSON.stringify(value) ? value : fault.refuse(`only ${JSON.stringify(value)} is`),
});

/** A list of numbers above 0. */
export const numbers: Key<readonly number[]> = {
  fallback: [],
  read: (value, fault) =>
    Array.isArray(value) && value.every((entry) => isFinite(entry) && entry > 0)
      ? value
      : fault.broken("a list of numbers above 0"),
};

export const texts: Key<readonly string[]> = {
  fallback: [],
  read: (value, fault) => (Array.isArray(value) && value.every(isText) ? value : fault.broken("a list of strings")),
};

export const section: Key<JsonObject> = {
  fallback: {},
  read: (value, fault) => (isObject(value) ? value : fault.broken("an object")),
};

/** A key that may be null, which is also its default unless `fallback` says otherwise. */
export const nullable = <Value>(key: Key<Value>, fallback: Value | null = null): Key<Value | null> => ({
  fallback,
  read: (value, fault) => (value === null ? null : key.read(value, fault)),
});

/** A size that is derived from another one where it is absent; null is refused, for no class takes it. */
export const derivedCount: Key<number | null> = { fallback: null, read: (value, fault) => count(1).read(value, fault) };

/** A key without a default: undefined where it is absent. */
export const optional = <Value>(key: Key<Value>): Key<Value | undefined> => ({
  fallback: undefined,
  read: (value, fault) => key.read(value, fault),
});

/** A key that may have any value. */
export const anything: Key<unknown> = { fallback: undefined, read: (value) => value };
