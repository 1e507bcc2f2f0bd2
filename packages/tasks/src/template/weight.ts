import { BadDataError } from "@mbs/contracts";
import { Tuple, type PythonValue } from "../python/values.ts";

/** In UTF-16 units, of all texts in a value. */
const mostCharacters = 10_000_000;
/** Of lists and dicts, with what is in them. */
const mostItems = 1_000_000;
/** A list may have been appended to itself. */
const mostLevels = 100;

/** Work that one step stands for. */
const charactersOfStep = 100;
const itemsOfStep = 20;

/**
 * Steps that an operation with a value may take.
 *
 * @throws {BadDataError} where the value is larger than any prompt needs, or nested in itself
 */
export function stepsOf(value: PythonValue): number {
  let [characters, items] = [0, 0];
  const weigh = (part: PythonValue, level: number): void => {
    if (typeof part === "string") characters += part.length;
    if (characters > mostCharacters)
      throw new BadDataError(`a value has more than ${mostCharacters} characters; shorten what the template repeats`);
    const parts = part instanceof Tuple ? part.items : part instanceof Map ? [...part.keys(), ...part.values()] : part;
    if (!Array.isArray(parts)) return;
    items += parts.length;
    if (items > mostItems) throw new BadDataError(`a list has more than ${mostItems} items; shorten what the template repeats`);
    if (level > mostLevels)
      throw new BadDataError(`a list is nested deeper than ${mostLevels} levels, or in itself; simplify the template`);
    for (const inner of parts as readonly PythonValue[]) weigh(inner, level + 1);
  };
  weigh(value, 0);
  return Math.ceil(characters / charactersOfStep) + Math.ceil(items / itemsOfStep);
}
