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
  const bytes = Number(digits) * (units.get(unit) ?? NaN);
  if (!Number.isFinite(bytes)) throw new UsageError(`${option} takes a size such as 4GiB, not ${quoted(text)}`, { option });
  return bytes;
}

/** Bytes as people read them, in powers of 1000: 8417280 → "8.42 MB". */
export function formatBytes(bytes: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB", "PB", "EB"];
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), units.length - 1);
  return `${power === 0 ? bytes : (bytes / 1000 ** power).toPrecision(3)} ${units[power]}`;
}
