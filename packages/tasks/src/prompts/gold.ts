import { BadDataError } from "@mbs/contracts";
import { repr } from "../python/print.ts";
import { Float, isInteger, type PythonValue } from "../python/values.ts";

/**
 * Numbers of the right choices.
 *
 * @throws {BadDataError} with the value, where it names no choice: such a row would count as wrong whatever a model says
 */
export function goldChoices(target: PythonValue, choices: readonly string[]): number[] {
  const targets = Array.isArray(target) ? target : [target];
  if (targets.length === 0) throw new BadDataError("the target is empty, and has to name a choice");
  return targets.map((value) => {
    const index = indexOf(value, choices);
    if (index === undefined || index < 0 || index >= choices.length) {
      throw new BadDataError(
        `the target is ${repr(value)}, and has to be one of the choices ${repr([...choices])} or its number`,
      );
    }
    return index;
  });
}

function indexOf(value: PythonValue, choices: readonly string[]): number | undefined {
  if (typeof value === "string") return choices.indexOf(value);
  if (isInteger(value)) return Number(value);
  return value instanceof Float && Number.isInteger(value.value) ? value.value : undefined;
}
