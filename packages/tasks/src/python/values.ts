/**
 * Values as Python has them: a list is an array, a dict a Map, None is null, an integer a number.
 * JavaScript has one kind of number, so a float is an object of its own: templates print 2.0 and 2 differently.
 */
export class Float {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

export class Tuple {
  readonly items: readonly PythonValue[];
  constructor(items: readonly PythonValue[]) {
    this.items = items;
  }
}

/** What a name that nobody has defined evaluates to. Anything but asking whether it is defined is an error. */
export class Undefined {
  /** Of an error: `'premise' is undefined`. */
  readonly complaint: string;
  constructor(complaint: string) {
    this.complaint = complaint;
  }
}

export type Callable = (positional: readonly PythonValue[], named: ReadonlyMap<string, PythonValue>) => PythonValue;

export type PythonValue =
  | null
  | boolean
  | number
  | string
  | Float
  | Tuple
  | Undefined
  | Callable
  | PythonValue[]
  | Map<PythonValue, PythonValue>;

/** A row of a split: columns by name. */
export type Row = ReadonlyMap<string, PythonValue>;

/** A value of a JSON row. A whole number is an integer, since JSON does not tell 1.0 from 1. */
export function fromJson(value: unknown): PythonValue {
  if (value === undefined || value === null) return null;
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "bigint":
      return Number(value);
    case "number":
      return Number.isSafeInteger(value) ? value : new Float(value);
    default:
  }
  if (Array.isArray(value)) return value.map(fromJson);
  return new Map(Object.entries(value).map(([key, item]) => [key, fromJson(item)]));
}

/** The number that a value is in arithmetic, where True is 1; undefined for anything else. */
export function numberOf(value: PythonValue): number | undefined {
  if (typeof value === "number") return value;
  if (typeof value === "boolean") return value ? 1 : 0;
  return value instanceof Float ? value.value : undefined;
}

/** Whether a value is an `int` as isinstance says it: booleans are. */
export const isInteger = (value: PythonValue): value is number | boolean =>
  typeof value === "number" || typeof value === "boolean";

export function isTruthy(value: PythonValue): boolean {
  const number = numberOf(value);
  if (number !== undefined) return number !== 0;
  if (value === null) return false;
  if (typeof value === "string" || Array.isArray(value)) return value.length > 0;
  if (value instanceof Tuple) return value.items.length > 0;
  return value instanceof Map ? value.size > 0 : true;
}

/** Python's `==`. */
export function areEqual(left: PythonValue, right: PythonValue): boolean {
  if (left === right) return true;
  const number = numberOf(left);
  if (number !== undefined) return number === numberOf(right);
  if (Array.isArray(left)) return Array.isArray(right) && areItemsEqual(left, right);
  if (left instanceof Tuple) return right instanceof Tuple && areItemsEqual(left.items, right.items);
  if (left instanceof Map && right instanceof Map) return areRowsEqual(left, right);
  return false;
}

const areItemsEqual = (left: readonly PythonValue[], right: readonly PythonValue[]): boolean =>
  left.length === right.length && left.every((item, index) => areEqual(item, right[index] ?? null));

/** Whether two dicts have the same keys with equal values. */
export function areRowsEqual<Key>(left: ReadonlyMap<Key, PythonValue>, right: ReadonlyMap<Key, PythonValue>): boolean {
  if (left.size !== right.size) return false;
  for (const [key, value] of left) {
    const other = right.get(key);
    if (other === undefined || !areEqual(value, other)) return false;
  }
  return true;
}
