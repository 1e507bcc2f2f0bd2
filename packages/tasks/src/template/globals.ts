import { BadDataError } from "@mbs/contracts";
import type { PythonValue } from "../python/values.ts";

/** `namespace()`: a dict whose attributes a template may set. */
export class Namespace extends Map<PythonValue, PythonValue> {}

const mostNumbers = 100_000;

function range(positional: readonly PythonValue[]): PythonValue {
  const [first, second, third] = positional;
  const [start, stop, step] = second === undefined ? [0, first, 1] : [first, second, third ?? 1];
  if (typeof start !== "number" || typeof stop !== "number" || typeof step !== "number" || step === 0) {
    throw new BadDataError("range() takes one to three whole numbers, the last not 0");
  }
  const count = Math.max(0, Math.ceil((stop - start) / step));
  if (count > mostNumbers) throw new BadDataError(`range() makes ${count} numbers, more than ${mostNumbers}`);
  return Array.from({ length: count }, (_, index) => start + index * step);
}

/** Names that every template knows. */
export const globals: ReadonlyMap<string, PythonValue> = new Map<string, PythonValue>([
  ["true", true],
  ["True", true],
  ["false", false],
  ["False", false],
  ["none", null],
  ["None", null],
  ["range", range],
  ["dict", (_, named) => new Map<PythonValue, PythonValue>(named)],
  ["namespace", (_, named) => new Namespace(named)],
]);
