import { quoted, UsageError } from "@mbs/contracts";

const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

/** Seconds of a text such as "20m". @throws {UsageError} on anything else */
export function parseDuration(text: string): number {
  const [, digits = "", unit = ""] = /^(\d+(?:\.\d+)?)\s*(s|m|h)$/.exec(text) ?? [];
  const seconds = Number(digits) * (units[unit] ?? NaN);
  if (seconds > 0 && Number.isFinite(seconds)) return seconds;
  throw new UsageError(`--within takes a time such as 90s, 20m or 2h, not ${quoted(text)}`, { option: "--within" });
}
