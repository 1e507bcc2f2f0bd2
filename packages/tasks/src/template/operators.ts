import { BadDataError } from "@mbs/contracts";
import { print, repr } from "../python/print.ts";
import { areEqual, Float, numberOf, Tuple, Undefined, type PythonValue } from "../python/values.ts";

/**
 * The value itself.
 *
 * @throws {BadDataError} where it is undefined: a template that prints nothing there would give another prompt
 */
export function defined(value: PythonValue): PythonValue {
  if (value instanceof Undefined) throw new BadDataError(value.complaint);
  return value;
}

/** The name of a value's type, as Python has it. */
export function typeName(value: PythonValue): string {
  if (value === null) return "None";
  if (value instanceof Float) return "float";
  if (value instanceof Tuple) return "tuple";
  if (Array.isArray(value)) return "list";
  if (value instanceof Map) return "dict";
  if (typeof value === "string") return "str";
  return typeof value === "number" ? "int" : typeof value === "boolean" ? "bool" : "function";
}

function refuseOperands(operator: string, left: PythonValue, right: PythonValue): never {
  throw new BadDataError(`${typeName(left)} ${operator} ${typeName(right)} is not possible: ${repr(left)}, ${repr(right)}`);
}

/** Whether an item is in a list, a key in a dict, a text in a text. */
export function contains(container: PythonValue, item: PythonValue): boolean {
  if (typeof container === "string")
    return typeof item === "string" ? container.includes(item) : refuseOperands("in", item, container);
  if (container instanceof Map) return Array.from(container.keys()).some((key) => areEqual(key, item));
  const items = container instanceof Tuple ? container.items : container;
  return Array.isArray(items)
    ? items.some((other) => areEqual(other as PythonValue, item))
    : refuseOperands("in", item, container);
}

/** -1, 0 or 1, as Python orders numbers, texts by code point, and lists item by item. */
export function compare(left: PythonValue, right: PythonValue): number {
  const [first, second] = [numberOf(left), numberOf(right)];
  if (first !== undefined && second !== undefined) return Math.sign(first - second);
  if (typeof left === "string" && typeof right === "string") return compareTexts(left, right);
  const [items, others] = [left, right].map((value) => (value instanceof Tuple ? value.items : value));
  if (!Array.isArray(items) || !Array.isArray(others) || Array.isArray(left) !== Array.isArray(right))
    return refuseOperands("<", left, right);
  for (const [index, item] of (items as PythonValue[]).entries()) {
    if (index >= others.length) return 1;
    const order = areEqual(item, others[index] as PythonValue) ? 0 : compare(item, others[index] as PythonValue);
    if (order !== 0) return order;
  }
  return items.length < others.length ? -1 : 0;
}

function compareTexts(left: string, right: string): number {
  const [first, second] = [Array.from(left), Array.from(right)];
  for (const [index, character] of first.entries()) {
    const other = second[index];
    if (other === undefined) return 1;
    if (character !== other) return (character.codePointAt(0) ?? 0) < (other.codePointAt(0) ?? 0) ? -1 : 1;
  }
  return first.length < second.length ? -1 : 0;
}

const mostRepeated = 1_000_000;

function repeat(value: PythonValue, count: PythonValue): PythonValue | undefined {
  if (typeof count !== "number" || !(typeof value === "string" || Array.isArray(value))) return undefined;
  const times = Math.max(0, count);
  if (times * value.length > mostRepeated) throw new BadDataError(`a product has more than ${mostRepeated} items`);
  return typeof value === "string" ? value.repeat(times) : Array.from({ length: times }, () => value).flat();
}

function join(left: PythonValue, right: PythonValue): PythonValue | undefined {
  if (typeof left === "string" && typeof right === "string") return left + right;
  if (Array.isArray(left) && Array.isArray(right)) return [...left, ...right];
  return left instanceof Tuple && right instanceof Tuple ? new Tuple([...left.items, ...right.items]) : undefined;
}

function calculate(operator: string, left: number, right: number): number | undefined {
  if (right === 0 && ["/", "//", "%"].includes(operator)) throw new BadDataError("division by zero");
  switch (operator) {
    case "+":
      return left + right;
    case "-":
      return left - right;
    case "*":
      return left * right;
    case "/":
      return left / right;
    case "//":
      return Math.floor(left / right);
    case "%":
      return left - right * Math.floor(left / right);
    case "**":
      return left ** right;
    default:
      return undefined;
  }
}

function arithmetic(operator: string, left: PythonValue, right: PythonValue): PythonValue {
  if (operator === "+") {
    const joined = join(left, right);
    if (joined !== undefined) return joined;
  }
  if (operator === "*") {
    const repeated = repeat(left, right) ?? repeat(right, left);
    if (repeated !== undefined) return repeated;
  }
  const [first, second] = [numberOf(left), numberOf(right)];
  if (first === undefined || second === undefined) return refuseOperands(operator, left, right);
  const result = calculate(operator, first, second);
  if (result === undefined) return refuseOperands(operator, left, right);
  const isFloat = left instanceof Float || right instanceof Float || operator === "/" || (operator === "**" && second < 0);
  if (isFloat) return new Float(result);
  if (Number.isSafeInteger(result)) return result;
  throw new BadDataError(`${repr(left)} ${operator} ${repr(right)} is too large to be held exactly`);
}

/** A binary operator on two defined values. */
export function operate(operator: string, left: PythonValue, right: PythonValue): PythonValue {
  switch (operator) {
    case "==":
      return areEqual(left, right);
    case "!=":
      return !areEqual(left, right);
    case "in":
      return contains(right, left);
    case "not in":
      return !contains(right, left);
    case "~":
      return print(left) + print(right);
    case "<":
      return compare(left, right) < 0;
    case ">":
      return compare(left, right) > 0;
    case "<=":
      return compare(left, right) <= 0;
    case ">=":
      return compare(left, right) >= 0;
    default:
      return arithmetic(operator, left, right);
  }
}
