import { UsageError } from "./errors.ts";
import { quoted } from "./printable.ts";

const units: ReadonlyMap<string, number> = new Map([
  ["kB", 1e3],
  ["MB", 1e6],
  ["GB", 1e9],
  ["TB", 1e12],
  ["KiB", 2 ** 10],
  ["MiB", 2 ** 20],
  ["GiB", 2 ** 30],
  ["TiB", 2 ** 40],
]);

const unitOf = new Map([...units].map(([name, bytes]) => [name.toLowerCase(), bytes]));

/**
 * Bytes of a text such as "4GiB" or "180MB", in any case, or "0": a number alone is refused, since nobody means ten bytes by "10".
 *
 * @param option that it was given to, "--budget"
 * @throws {UsageError} on anything else
 */
export function parseBytes(text: string, option: string): number {
  if (text === "0") return 0;
  const [, digits = "", unit = ""] = /^(\d+(?:\.\d+)?)\s*([a-z]+)$/i.exec(text) ?? [];
  // 2.01 · 10⁶ is 2009999.9999999998
  const bytes = Math.round(Number(digits) * (unitOf.get(unit.toLowerCase()) ?? NaN));
  if (Number.isFinite(bytes)) return bytes;
  throw new UsageError(`${option} takes a size such as 4GiB or 180MB (${[...units.keys()].join(", ")}), not ${quoted(text)}`, {
    option,
  });
}

/** Bytes as people read them, in powers of 1000: 8417280 → "8.42 MB". */
export function formatBytes(bytes: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB", "PB", "EB"];
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), units.length - 1);
  return `${power === 0 ? bytes : (bytes / 1000 ** power).toPrecision(3)} ${units[power]}`;
}

/** The smallest size in three digits that is no less, as options take it: 336154144 → "337MB". */
export function sizeFrom(bytes: number): string {
  const names = ["kB", "MB", "GB", "TB"];
  const power = Math.min(Math.max(1, Math.floor(Math.log10(Math.max(bytes, 1)) / 3)), names.length);
  const scaled = bytes / 1000 ** power;
  const factor = 10 ** Math.max(0, 2 - Math.floor(Math.log10(Math.max(scaled, 1))));
  // a product in floating point can be more than the number by its last bits
  return `${Math.ceil(Number((scaled * factor).toPrecision(12))) / factor}${names[power - 1]}`;
}

/** Within this factor two sizes are alike: headers and graphs take some bytes too. */
const alike = 1.05;

/** Whether a model takes less than what it was made of, by more than headers do. */
export const isSmaller = (bytes: number, source: number): boolean => source >= bytes * alike;

/** A model's size beside that of what it was made of: "3.20 times smaller", "as large", "1.49 times larger". */
export function sizeAgainst(bytes: number, source: number): string {
  if (isSmaller(bytes, source)) return `${(source / bytes).toFixed(2)} times smaller`;
  return bytes < source * alike ? "as large" : `${(bytes / source).toFixed(2)} times larger`;
}

/** How large a model is. Every size that is shown, and every comparison of two models, is made of these two numbers. */
export interface ModelSize {
  /** Its weight files on disk, headers included. */
  readonly bytes: number;
  /** Numbers in its tensors. */
  readonly parameters: number;
}

/** Bits of a weight, with what its files have beside the weights. */
export const bitsAWeight = ({ bytes, parameters }: ModelSize): number => (bytes * 8) / parameters;

/** The sum of sizes, in bytes. */
export const totalBytes = (all: readonly { readonly bytes: number }[]): number => all.reduce((sum, { bytes }) => sum + bytes, 0);
