import { BadDataError, isObject } from "@mbs/contracts";

/** The position of a value in a JSON file. */
export interface JsonPosition {
  readonly file: string;
  /** "model.vocab"; "" for the whole. */
  readonly path: string;
  /** How many objects of one kind it is nested in. */
  readonly depth: number;
}

/** Checks a value. @throws {BadDataError} naming the file, the path of the key and what is expected */
export type Shape = (value: unknown, position: JsonPosition) => void;

/** Deepest nesting of sequences: the library that reads them recurses. */
const deepest = 16;

const shown = (value: unknown): string => (value === undefined ? "missing" : JSON.stringify(value).slice(0, 80));

/** @param wanted what is expected */
export function refuseAt({ file, path }: JsonPosition, value: unknown, wanted: string): never {
  throw new BadDataError(
    `${file}: ${path || "the JSON"} is ${shown(value)}, not ${wanted}; take the file from the model's source again`,
    { file, path },
  );
}

/** The position of a part. Its path is put together when it is asked for: a vocabulary has a hundred thousand parts. */
class PartPosition implements JsonPosition {
  readonly file: string;
  readonly depth: number;
  readonly #whole: JsonPosition;
  readonly #key: string | number;

  constructor(whole: JsonPosition, key: string | number) {
    this.file = whole.file;
    this.depth = whole.depth;
    this.#whole = whole;
    this.#key = key;
  }

  get path(): string {
    const { path } = this.#whole;
    return typeof this.#key === "number" ? `${path}[${this.#key}]` : `${path}${path === "" ? "" : "."}${this.#key}`;
  }
}

/** The position of an item or a field. */
export const at = (position: JsonPosition, key: string | number): JsonPosition => new PartPosition(position, key);

export const text: Shape = (value, position) => {
  if (typeof value !== "string") refuseAt(position, value, "a string");
};

export const flag: Shape = (value, position) => {
  if (typeof value !== "boolean") refuseAt(position, value, "true or false");
};

/** A finite number. */
export const number: Shape = (value, position) => {
  if (!Number.isFinite(value)) refuseAt(position, value, "a number");
};

/** A whole number from `least` to `most`, by default up to the largest int32. */
export const whole =
  (least = 0, most = 2 ** 31 - 1): Shape =>
  (value, position) => {
    if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) return;
    refuseAt(position, value, `a whole number from ${least} to ${most}`);
  };

/** One of some strings. */
export const oneOf =
  (...names: readonly string[]): Shape =>
  (value, position) => {
    if (typeof value !== "string" || !names.includes(value)) refuseAt(position, value, `one of ${names.join(", ")}`);
  };

/** The shape, or null. */
export const orNull =
  (shape: Shape): Shape =>
  (value, position) => {
    if (value !== null) shape(value, position);
  };

export const listOf =
  (shape: Shape): Shape =>
  (value, position) => {
    if (!Array.isArray(value)) return refuseAt(position, value, "a list");
    for (const [index, item] of value.entries()) shape(item, at(position, index));
  };

/** An object with any keys, each value of one shape. */
export const mapOf =
  (shape: Shape): Shape =>
  (value, position) => {
    if (!isObject(value)) return refuseAt(position, value, "an object");
    for (const [key, item] of Object.entries(value)) shape(item, at(position, key));
  };

/** The fields of an object by name; "name?" may be absent. Other keys are ignored. */
export type Fields = Readonly<Record<string, Shape>>;

export const fieldsOf =
  (fields: Fields): Shape =>
  (value, position) => {
    if (!isObject(value)) return refuseAt(position, value, "an object");
    for (const [field, shape] of Object.entries(fields)) {
      const key = field.replace("?", "");
      const item = Object.hasOwn(value, key) ? value[key] : undefined;
      if (item !== undefined || key === field) shape(item, at(position, key));
    }
  };

/** An object whose `type` says which fields it has. */
export const typed =
  (types: Readonly<Record<string, Fields>>): Shape =>
  (value, position) => {
    if (!isObject(value)) return refuseAt(position, value, "an object");
    const { type } = value;
    const fields = typeof type === "string" && Object.hasOwn(types, type) ? types[type] : undefined;
    if (fields === undefined) return refuseAt(at(position, "type"), type, `one of ${Object.keys(types).join(", ")}`);
    if (position.depth > deepest) return refuseAt(position, type, `at most ${deepest} deep`);
    fieldsOf(fields)(value, { file: position.file, path: position.path, depth: position.depth + 1 });
  };
