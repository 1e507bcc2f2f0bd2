import { UsageError } from "./errors.ts";
import { quoted } from "./printable.ts";

const units: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["KiB", 2 ** 10],
  ["MiB", 2 ** 20],
  ["GiB", 2 ** 30],
  ["TiB", 2 ** 40],
]);

/**
 * Bytes of a text such as "4GiB".
 *
 * @param option that it was given to, "--budget"
 * @throws {UsageError} on anything else
 */
export function parseBytes(text: string, option: string): number {
  const [, digits = "", unit = "?"] = /^(\d+(?:\.\d+)?)\s*(|KiB|MiB|GiB|TiB)$/.exec(text) ?? [];
  const factor = units.get(unit);
  if (factor === undefined) throw new UsageError(`${option} takes a size such as 4GiB, not ${quoted(text)}`, { option });
  return Number(digits) * factor;
}
