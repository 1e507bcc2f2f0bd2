import { BadDataError } from "@mbs/contracts";
import { Float, Tuple, Undefined, type PythonValue } from "../python/values.ts";
import { defined } from "./operators.ts";

const isWhole = (value: PythonValue): value is number => typeof value === "number";

const checks: ReadonlyMap<string, (value: PythonValue) => boolean> = new Map<string, (value: PythonValue) => boolean>([
  ["none", (value) => value === null],
  ["string", (value) => typeof value === "string"],
  ["number", (value) => isWhole(value) || typeof value === "boolean" || value instanceof Float],
  ["integer", isWhole],
  ["float", (value) => value instanceof Float],
  ["boolean", (value) => typeof value === "boolean"],
  ["true", (value) => value === true],
  ["false", (value) => value === false],
  ["mapping", (value) => value instanceof Map],
  ["sequence", (value) => typeof value === "string" || Array.isArray(value) || value instanceof Tuple || value instanceof Map],
  ["iterable", (value) => typeof value === "string" || Array.isArray(value) || value instanceof Tuple || value instanceof Map],
  ["odd", (value) => isWhole(value) && Math.abs(value % 2) === 1],
  ["even", (value) => isWhole(value) && value % 2 === 0],
  ["lower", (value) => typeof value === "string" && value === value.toLowerCase()],
  ["upper", (value) => typeof value === "string" && value === value.toUpperCase()],
  ["callable", (value) => typeof value === "function"],
]);

/** Jinja's `value is name`. */
export function passesTest(name: string, value: PythonValue): boolean {
  if (name === "defined") return !(value instanceof Undefined);
  if (name === "undefined") return value instanceof Undefined;
  const check = checks.get(name);
  if (check === undefined)
    throw new BadDataError(
      `the test "is ${name}" is not supported; there are defined, undefined, ${[...checks.keys()].join(", ")}`,
    );
  return check(defined(value));
}
