import { BadDataError } from "@mbs/contracts";
import { print, repr } from "../python/print.ts";
import { pythonExpression, substitute } from "../python/regular-expression.ts";
import { capitalise, lengthOf, spaces } from "../python/text.ts";
import { areEqual, Float, isTruthy, numberOf, Tuple, Undefined, type PythonValue } from "../python/values.ts";
import { iterate, memberOf, subscriptOf } from "./members.ts";
import { compare, defined, operate, typeName } from "./operators.ts";
import { joinTexts, replaceText, textMethod, textOf } from "./text-methods.ts";

type Named = ReadonlyMap<string, PythonValue>;
type Filter = (value: PythonValue, positional: readonly PythonValue[], named: Named) => PythonValue;

const text = (value: PythonValue): string => print(value);
const argument = (positional: readonly PythonValue[], index: number, named: Named, name: string): PythonValue | undefined =>
  positional[index] ?? named.get(name);

function count(value: PythonValue): number {
  if (typeof value === "string") return lengthOf(value);
  return iterate(value).length;
}

function toInteger(value: PythonValue, otherwise: PythonValue): PythonValue {
  const number = numberOf(value);
  if (number !== undefined) return Math.trunc(number);
  if (typeof value !== "string") return otherwise;
  const plain = value.trim().replace(/(\d)_(?=\d)/g, "$1");
  if (/^[-+]?\d+$/.test(plain)) return Number(plain);
  return /^[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?$/.test(plain) ? Math.trunc(Number(plain)) : otherwise;
}

function toFloat(value: PythonValue, otherwise: PythonValue): PythonValue {
  const number = numberOf(value);
  if (number !== undefined) return new Float(number);
  const plain = typeof value === "string" ? value.trim() : "";
  return /^[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?$/.test(plain) ? new Float(Number(plain)) : otherwise;
}

/** Attribute of items, such as "choice.text". */
const attributeOf = (item: PythonValue, path: PythonValue): PythonValue =>
  typeof path === "string"
    ? path
        .split(".")
        .reduce<PythonValue>(
          (object, part) => (/^\d+$/.test(part) ? subscriptOf(object, Number(part)) : memberOf(object, part)),
          item,
        )
    : subscriptOf(item, path);

function map(value: PythonValue, positional: readonly PythonValue[], named: Named): PythonValue {
  const attribute = named.get("attribute");
  if (attribute !== undefined) {
    return iterate(value).map((item) => {
      const found = attributeOf(item, attribute);
      return found instanceof Undefined ? (named.get("default") ?? found) : found;
    });
  }
  const [name, ...rest] = positional;
  return iterate(value).map((item) => applyFilter(textOf(name, "map"), item, rest, named));
}

function join(value: PythonValue, positional: readonly PythonValue[], named: Named): PythonValue {
  const attribute = argument(positional, 1, named, "attribute");
  const items = iterate(value).map((item) => (attribute === undefined ? item : attributeOf(item, attribute)));
  return joinTexts(
    items.map((item) => text(defined(item))),
    text(argument(positional, 0, named, "d") ?? ""),
  );
}

function sort(value: PythonValue, positional: readonly PythonValue[], named: Named): PythonValue {
  const isReverse = isTruthy(argument(positional, 0, named, "reverse") ?? false);
  const isExact = isTruthy(argument(positional, 1, named, "case_sensitive") ?? false);
  const attribute = argument(positional, 2, named, "attribute");
  const keyOf = (item: PythonValue): PythonValue => {
    const key = attribute === undefined ? item : attributeOf(item, attribute);
    return typeof key === "string" && !isExact ? key.toLowerCase() : key;
  };
  return [...iterate(value)].sort((left, right) =>
    isReverse ? compare(keyOf(right), keyOf(left)) : compare(keyOf(left), keyOf(right)),
  );
}

function round(value: PythonValue, positional: readonly PythonValue[], named: Named): PythonValue {
  const number = numberOf(value);
  if (number === undefined) throw new BadDataError(`${typeName(value)} cannot be rounded`);
  const scale = 10 ** (numberOf(argument(positional, 0, named, "precision") ?? 0) ?? 0);
  if (!(scale > 0 && Number.isFinite(scale))) throw new BadDataError("round takes a precision from -323 to 308");
  const method = argument(positional, 1, named, "method") ?? "common";
  if (method !== "common" && method !== "floor" && method !== "ceil")
    throw new BadDataError(`round takes common, floor or ceil, not ${repr(method)}`);
  const scaled = number * scale;
  if (method === "floor") return new Float(Math.floor(scaled) / scale);
  if (method === "ceil") return new Float(Math.ceil(scaled) / scale);
  const below = Math.floor(scaled);
  // Python rounds halves to the even neighbour.
  const nearest = scaled - below === 0.5 ? below + Math.abs(below % 2) : Math.round(scaled);
  return new Float(nearest / scale);
}

function absolute(value: PythonValue): PythonValue {
  const number = numberOf(value);
  if (number === undefined) throw new BadDataError(`${typeName(value)} has no absolute value`);
  return value instanceof Float ? new Float(Math.abs(number)) : Math.abs(number);
}

const selecting =
  (keep: boolean): Filter =>
  (value, [test, other], named) => {
    if (named.size > 0 || (test !== undefined && test !== "in" && test !== "equalto" && test !== "eq" && test !== "ne")) {
      throw new BadDataError(
        `select and reject take no test ${test === undefined ? "by name" : repr(test)} here; use an "if" in a loop`,
      );
    }
    const holds = (item: PythonValue): boolean => {
      if (test === undefined) return isTruthy(item);
      if (other === undefined) throw new BadDataError(`the test ${repr(test)} takes a value`);
      return isTruthy(operate(test === "in" ? "in" : test === "ne" ? "!=" : "==", item, other));
    };
    return iterate(value).filter((item) => holds(item) === keep);
  };

const withoutCase = (item: PythonValue): PythonValue => (typeof item === "string" ? item.toLowerCase() : item);

/** Every item is compared with all before it. */
const mostUnique = 10_000;

function unique(value: PythonValue): PythonValue {
  const kept: PythonValue[] = [];
  const items = iterate(value);
  if (items.length > mostUnique) throw new BadDataError(`unique takes at most ${mostUnique} items, not ${items.length}`);
  for (const item of items) if (!kept.some((other) => areEqual(withoutCase(other), withoutCase(item)))) kept.push(item);
  return kept;
}

const extreme =
  (sign: number): Filter =>
  (value) => {
    const [first, ...rest] = iterate(value);
    if (first === undefined) throw new BadDataError("an empty list has no smallest or largest item");
    return rest.reduce((best, item) => (sign * compare(item, best) > 0 ? item : best), first);
  };

const wordStart = new RegExp(`([-({\\[<${spaces}]+)`);

/** Jinja's own title: after white space, hyphens and opening brackets. */
const titleWords = (value: string): string =>
  value
    .split(wordStart)
    .map((word) => {
      const [first = "", ...rest] = word;
      return first.toUpperCase() + rest.join("").toLowerCase();
    })
    .join("");

const end =
  (index: number): Filter =>
  (value) =>
    iterate(value).at(index) ?? new Undefined("an empty list has no first or last item");

const filters: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ["abs", absolute],
  ["capitalize", (value) => capitalise(text(value))],
  ["count", count],
  ["first", end(0)],
  ["float", (value, positional, named) => toFloat(value, argument(positional, 0, named, "default") ?? new Float(0))],
  ["int", (value, positional, named) => toInteger(value, argument(positional, 0, named, "default") ?? 0)],
  ["items", (value) => (value instanceof Map ? Array.from(value, (pair) => new Tuple(pair)) : [])],
  ["join", join],
  ["last", end(-1)],
  ["length", count],
  ["list", (value) => [...iterate(value)]],
  ["lower", (value) => text(value).toLowerCase()],
  ["map", map],
  ["max", extreme(1)],
  ["min", extreme(-1)],
  [
    "regex_replace",
    (value, positional, named) => {
      const pattern = textOf(argument(positional, 0, named, "pattern"), "regex_replace");
      const replacement = textOf(argument(positional, 1, named, "repl"), "regex_replace");
      const times = numberOf(argument(positional, 2, named, "count") ?? 0) ?? 0;
      return substitute(pythonExpression(pattern, "regex_replace"), replacement, textOf(value, "regex_replace"), times);
    },
  ],
  ["reject", selecting(false)],
  [
    "replace",
    (value, positional, named) => {
      const times = numberOf(argument(positional, 2, named, "count") ?? -1) ?? -1;
      return replaceText(
        text(value),
        text(argument(positional, 0, named, "old") ?? ""),
        text(argument(positional, 1, named, "new") ?? ""),
        times,
      );
    },
  ],
  [
    "reverse",
    (value) => (typeof value === "string" ? iterate(value).map(print).toReversed().join("") : iterate(value).toReversed()),
  ],
  ["round", round],
  ["safe", (value) => value],
  ["select", selecting(true)],
  ["sort", sort],
  ["string", text],
  ["sum", (value) => iterate(value).reduce((total, item) => operate("+", total, item), 0)],
  ["title", (value) => titleWords(text(value))],
  [
    "trim",
    (value, positional, named) => {
      const set = argument(positional, 0, named, "chars");
      return textMethod(text(value), "strip")?.(set === undefined ? [] : [set], new Map()) ?? "";
    },
  ],
  ["unique", unique],
  ["upper", (value) => text(value).toUpperCase()],
  ["wordcount", (value) => text(value).match(/[\p{L}\p{N}_]+/gu)?.length ?? 0],
]);

/** Jinja's `value | name(…)`. */
export function applyFilter(name: string, value: PythonValue, positional: readonly PythonValue[], named: Named): PythonValue {
  if (name === "default" || name === "d") {
    const otherwise = argument(positional, 0, named, "default_value") ?? "";
    const isBoolean = isTruthy(argument(positional, 1, named, "boolean") ?? false);
    return value instanceof Undefined || (isBoolean && !isTruthy(value)) ? otherwise : value;
  }
  const filter = filters.get(name);
  if (filter === undefined)
    throw new BadDataError(`the filter ${name} is not supported; there are default, ${[...filters.keys()].join(", ")}`);
  return filter(defined(value), positional, named);
}
