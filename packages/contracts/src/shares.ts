import { UsageError } from "./errors.ts";
import { quoted } from "./printable.ts";

/** Without the digits by which float64 differs from what people write. */
const rounded = (value: number): number => Number(value.toPrecision(12));

/** A share as people write it: 0.05 → "5%". */
export const formatShare = (share: number): string => `${rounded(share * 100)}%`;

/** Both ways to write a share: "5% or 0.05"; "500%", since a bare 5 is refused. */
const spellings = (share: number): string => (share < 1 ? `${formatShare(share)} or ${rounded(share)}` : formatShare(share));

/** What to write in place of a bare number of 1 or more. */
function meanings(count: number, maximum: number): string {
  const times = `${formatShare(count)} for ${count === 1 ? "the whole" : `${count} times`}`;
  return [...(count / 100 <= maximum ? [spellings(count / 100)] : []), ...(count <= maximum ? [times] : [])].join("; ");
}

/**
 * A share of a whole: "5%", "0.05" or 0.05. A bare number of 1 or more is refused: 5 may be meant as 5% or as five times, 1 as 1%
 * or as the whole. 0 means the same either way.
 *
 * @param option that it was given to, "--max-worst-rise"
 * @param maximum largest share, 1 for the whole
 * @throws {UsageError} on what is no share, is beyond `maximum`, or may mean two
 */
export function parseShare(raw: unknown, option: string, maximum = Infinity): number {
  const text = typeof raw === "string" || typeof raw === "number" ? String(raw).trim() : "";
  const [, digits, percent] = /^((?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*(%?)$/i.exec(text) ?? [];
  const count = Number(digits);
  if (!Number.isFinite(count)) throw new UsageError(`${option} takes a share such as 5% or 0.05, not ${quoted(raw)}`, { option });
  const share = percent === "%" ? rounded(count / 100) : count;
  const meant = percent === "%" || count < 1 ? "" : meanings(count, maximum);
  if (meant !== "") throw new UsageError(`${option} ${count} is unclear; write ${meant}`, { option });
  if (share <= maximum) return share;
  throw new UsageError(`${option} must be at most ${formatShare(maximum)}, not ${formatShare(share)}`, { option });
}
