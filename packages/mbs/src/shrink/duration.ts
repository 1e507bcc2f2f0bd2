import { quoted, UsageError } from "@mbs/contracts";

const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

/** Seconds of a text such as "20m". @throws {UsageError} on anything else */
export function parseDuration(text: string): number {
  const [, digits = "", unit = ""] = /^(\d+(?:\.\d+)?)\s*(s|m|h)$/.exec(text) ?? [];
  const seconds = Number(digits) * (units[unit] ?? NaN);
  if (seconds > 0 && Number.isFinite(seconds)) return seconds;
  throw new UsageError(`--within takes a time such as 90s, 20m or 2h, not ${quoted(text)}`, { option: "--within" });
}

/** Share of a time that the next estimate of the same may say more. */
const margin = 0.05;

/** A round time that so many seconds fit in, as `parseDuration` takes it: "90s", "20m", "2.5h". */
export function durationFrom(seconds: number): string {
  const enough = seconds * (1 + margin);
  if (enough <= 90) return `${Math.ceil(enough / 10) * 10}s`;
  return enough <= 90 * 60 ? `${Math.ceil(enough / 60)}m` : `${Math.ceil(enough / 360) / 10}h`;
}
