import { BadDataError, isObject } from "@mbs/contracts";

/** Where a value stands in a JSON file. */
export interface JsonPlace {
  readonly file: string;
  /** "model.vocab"; "" for the whole. */
  readonly path: string;
  /** How many objects of one kind it is nested in. */
  readonly depth: number;
}

/** Checks a value. @throws {BadDataError} naming the file, the path of the key and what should stand there */
export type Shape = (value: unknown, place: JsonPlace) => void;

/** Sequences in sequences; the library that reads them goes as deep as they are. */
const deepest = 16;

const shown = (value: unknown): string => (value === undefined ? "missing" : JSON.stringify(value).slice(0, 80));

/** @param wanted what should stand there */
export function refuseAt({ file, path }: JsonPlace, value: unknown, wanted: string): never {
  throw new BadDataError(
    `${file}: ${path || "the whole"} is ${shown(value)}, not ${wanted}; take the file from the model's source again`,
    { file, path },
  );
}

const at = (place: JsonPlace, key: string | number): JsonPlace => ({
  ...place,
  path: `${place.path}${typeof key === "number" ? `[${key}]` : `${place.path === "" ? "" : "."}${key}`}`,
});

export const text: Shape = (value, place) => {
  if (typeof value !== "string") refuseAt(place, value, "a text");
};

export const flag: Shape = (value, place) => {
  if (typeof value !== "boolean") refuseAt(place, value, "true or false");
};

/** A finite number. */
export const number: Shape = (value, place) => {
  if (!Number.isFinite(value)) refuseAt(place, value, "a number");
};

/** A whole number from `least` to `most`, which int32 holds where nothing else is said. */
export const whole =
  (least = 0, most = 2 ** 31 - 1): Shape =>
  (value, place) => {
    if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) return;
    refuseAt(place, value, `a whole number from ${least} to ${most}`);
  };

/** One of some texts. */
export const oneOf =
  (...names: readonly string[]): Shape =>
  (value, place) => {
    if (typeof value !== "string" || !names.includes(value)) refuseAt(place, value, `one of ${names.join(", ")}`);
  };

/** The shape, or null. */
export const orNull =
  (shape: Shape): Shape =>
  (value, place) => {
    if (value !== null) shape(value, place);
  };

export const listOf =
  (shape: Shape): Shape =>
  (value, place) => {
    if (!Array.isArray(value)) return refuseAt(place, value, "a list");
    for (const [index, item] of value.entries()) shape(item, at(place, index));
  };

/** An object with any keys, each value of one shape. */
export const mapOf =
  (shape: Shape): Shape =>
  (value, place) => {
    if (!isObject(value)) return refuseAt(place, value, "an object");
    for (const [key, item] of Object.entries(value)) shape(item, at(place, key));
  };

/** The fields of an object by name; "name?" may be absent. Other keys are nobody's business. */
export type Fields = Readonly<Record<string, Shape>>;

export const fieldsOf =
  (fields: Fields): Shape =>
  (value, place) => {
    if (!isObject(value)) return refuseAt(place, value, "an object");
    for (const [field, shape] of Object.entries(fields)) {
      const key = field.replace("?", "");
      const item = Object.hasOwn(value, key) ? value[key] : undefined;
      if (item !== undefined || key === field) shape(item, at(place, key));
    }
  };

/** An object whose `type` says which fields it has. */
export const typed =
  (types: Readonly<Record<string, Fields>>): Shape =>
  (value, place) => {
    if (!isObject(value)) return refuseAt(place, value, "an object");
    const { type } = value;
    const fields = typeof type === "string" && Object.hasOwn(types, type) ? types[type] : undefined;
    if (fields === undefined) return refuseAt(at(place, "type"), type, `one of ${Object.keys(types).join(", ")}`);
    if (place.depth > deepest) return refuseAt(place, type, `at most ${deepest} deep`);
    fieldsOf(fields)(value, { ...place, depth: place.depth + 1 });
  };
