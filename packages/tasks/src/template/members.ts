import { BadDataError } from "@mbs/contracts";
import { print, repr } from "../python/print.ts";
import { characters } from "../python/text.ts";
import { areEqual, Tuple, Undefined, type Callable, type PythonValue } from "../python/values.ts";
import { Namespace } from "./globals.ts";
import { typeName } from "./operators.ts";
import { textMethod } from "./text-methods.ts";

/** The items that a loop or a filter goes through: of a dict its keys, of a text its characters. */
export function iterate(value: PythonValue): readonly PythonValue[] {
  if (value instanceof Undefined) throw new BadDataError(value.complaint);
  if (Array.isArray(value)) return value;
  if (value instanceof Tuple) return value.items;
  if (value instanceof Map) return [...value.keys()];
  if (typeof value === "string") return characters(value);
  throw new BadDataError(`${typeName(value)} has no items: ${repr(value)}`);
}

const itemsOf = (value: PythonValue): readonly PythonValue[] | undefined =>
  Array.isArray(value) ? value : value instanceof Tuple ? value.items : typeof value === "string" ? characters(value) : undefined;

const missing = (object: PythonValue, name: PythonValue): Undefined => {
  const keys = object instanceof Map ? `; it has ${[...object.keys()].map(repr).join(", ") || "no keys"}` : "";
  return new Undefined(`${typeName(object)} has no ${repr(name)}${keys}`);
};

/** undefined where there is no such key; None is a value. */
function lookUp(map: ReadonlyMap<PythonValue, PythonValue>, key: PythonValue): PythonValue | undefined {
  const found = map.get(key);
  if (found !== undefined || typeof key === "string") return found;
  return [...map].find(([other]) => areEqual(other, key))?.[1];
}

function itemOf(object: PythonValue, key: PythonValue): PythonValue | undefined {
  if (object instanceof Map) return lookUp(object, key);
  const index = typeof key === "boolean" ? Number(key) : key;
  return typeof index === "number" ? itemsOf(object)?.at(index) : undefined;
}

const firstOf = (
  found: PythonValue | undefined,
  other: () => PythonValue | undefined,
  otherwise: () => PythonValue,
): PythonValue => {
  const value = found === undefined ? other() : found;
  return value === undefined ? otherwise() : value;
};

/** `object[key]`: an item, or else an attribute of that name. */
export const subscriptOf = (object: PythonValue, key: PythonValue): PythonValue =>
  firstOf(
    itemOf(object, key),
    () => (typeof key === "string" ? methodOf(object, key) : undefined),
    () => missing(object, key),
  );

/** `object.name`: an attribute, or else an item of that name. */
export const memberOf = (object: PythonValue, name: string): PythonValue =>
  firstOf(
    methodOf(object, name),
    () => itemOf(object, name),
    () => missing(object, name),
  );

const bound = (value: PythonValue): number | undefined => {
  if (value === null) return undefined;
  if (typeof value === "number") return value;
  throw new BadDataError(`${repr(value)} is no whole number in a slice`);
};

/** `object[start:stop:step]`; null where a bound is left out. */
export function sliceOf(object: PythonValue, ...bounds: [PythonValue, PythonValue, PythonValue]): PythonValue {
  const items = itemsOf(object);
  if (items === undefined) throw new BadDataError(`${typeName(object)} cannot be sliced: ${repr(object)}`);
  const [start, stop, step = 1] = bounds.map(bound);
  if (step === 0) throw new BadDataError("the step of a slice is 0");
  const last = items.length;
  const clamp = (index: number): number => {
    const absolute = index < 0 ? index + last : index;
    return step > 0 ? Math.min(Math.max(absolute, 0), last) : Math.min(Math.max(absolute, -1), last - 1);
  };
  const first = start === undefined ? (step > 0 ? 0 : last - 1) : clamp(start);
  const end = stop === undefined ? (step > 0 ? last : -1) : clamp(stop);
  const taken: PythonValue[] = [];
  for (let index = first; step > 0 ? index < end : index > end; index += step) taken.push(items[index] ?? null);
  if (typeof object === "string") return taken.map(print).join("");
  return object instanceof Tuple ? new Tuple(taken) : taken;
}

function methodOf(object: PythonValue, name: string): Callable | undefined {
  if (typeof object === "string") return textMethod(object, name);
  if (object instanceof Namespace) return undefined;
  if (object instanceof Map) return dictMethod(object, name);
  const items = itemsOf(object);
  return items === undefined ? undefined : listMethod(object, items, name);
}

function dictMethod(map: Map<PythonValue, PythonValue>, name: string): Callable | undefined {
  switch (name) {
    case "items":
      return () => Array.from(map, (pair) => new Tuple(pair));
    case "keys":
      return () => [...map.keys()];
    case "values":
      return () => [...map.values()];
    case "get":
      return ([key = null, otherwise = null]) => {
        const found = lookUp(map, key);
        return found === undefined ? otherwise : found;
      };
    default:
      return undefined;
  }
}

function listMethod(list: PythonValue, items: readonly PythonValue[], name: string): Callable | undefined {
  switch (name) {
    case "index":
      return ([item = null]) => {
        const index = items.findIndex((other) => areEqual(other, item));
        if (index < 0) throw new BadDataError(`${repr(item)} is not in ${repr(list)}`);
        return index;
      };
    case "count":
      return ([item = null]) => items.filter((other) => areEqual(other, item)).length;
    case "append":
      return ([item = null]) => {
        if (Array.isArray(list)) list.push(item);
        return null;
      };
    default:
      return undefined;
  }
}
