import { UsageError, quoted } from "@mbs/contracts";

const unitMs: ReadonlyMap<string, number> = new Map([
  ["s", 1000],
  ["min", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
  ["w", 604_800_000],
]);

/** In days, a hundred years: far longer ones lead to no date. */
const longest = 36_500;

/**
 * Milliseconds of a text such as "7d".
 *
 * @throws {UsageError} on anything else, and on more than a hundred years
 */
export function parseAge(text: string): number {
  const [, digits = "", unit = ""] = /^(\d+(?:\.\d+)?)(s|min|h|d|w)$/.exec(text) ?? [];
  const factor = unitMs.get(unit);
  if (factor === undefined) throw new UsageError(`an age is a number with s, min, h, d or w, such as 7d, not ${quoted(text)}`);
  const age = Number(digits) * factor;
  if (age > longest * 86_400_000) throw new UsageError(`an age is at most ${longest}d, not ${quoted(text)}`);
  return age;
}

/** How long ago something was, in its largest unit: "12 d". */
export function formatAge(milliseconds: number): string {
  const [unit, factor] = [...unitMs].findLast(([name, size]) => name !== "w" && milliseconds >= size) ?? ["s", 1000];
  return `${Math.max(0, Math.floor(milliseconds / factor))} ${unit}`;
}
