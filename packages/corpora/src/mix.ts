import { UsageError, parseLanguageMix } from "@mbs/contracts";
import type { LanguageMix } from "@mbs/contracts";

/** How many segments each language gets, as asked for. */
export type Mix =
  | { readonly kind: "proportional" }
  | { readonly kind: "equal" }
  | { readonly kind: "only"; readonly language: string }
  /** Shares to the power α: 1 is proportional, 0 equal over the languages of the distribution. */
  | { readonly kind: "temperature"; readonly alpha: number }
  /** Shares as given, on any scale: what `mbs mix` recommends. */
  | { readonly kind: "weights"; readonly weights: LanguageMix }
  | { readonly kind: "counts"; readonly counts: ReadonlyMap<string, number> };

const forms = "proportional, equal, only:LANG, temperature:ALPHA, weights:LANG=WEIGHT,…, or counts such as en=87,zh=47";

function fail(text: string, what: string): never {
  throw new UsageError(`--mix ${JSON.stringify(text)}: ${what}; it takes ${forms}`, { mix: text });
}

function parseCounts(text: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const entry of text.split(",")) {
    const match = /^\s*([^=\s]+)=(\d{1,9})\s*$/.exec(entry);
    if (!match) fail(text, `${JSON.stringify(entry)} is no LANG=COUNT`);
    const [, language = "", count] = match;
    if (counts.has(language)) fail(text, `${language} stands there twice`);
    if (Number(count) > 0) counts.set(language, Number(count));
  }
  return counts.size > 0 ? counts : fail(text, "no language has a segment");
}

/**
 * @param text the value of `--mix`
 * @throws {UsageError} on any other form
 */
export function parseMix(text: string): Mix {
  if (text === "proportional" || text === "equal") return { kind: text };
  const [name, value] = text.split(":", 2);
  if (name === "only" && value) return { kind: "only", language: value };
  if (name === "temperature") {
    const alpha = value === undefined || value.trim() === "" ? NaN : Number(value);
    return Number.isFinite(alpha) && alpha >= 0
      ? { kind: "temperature", alpha }
      : fail(text, "ALPHA must be a number of at least 0");
  }
  if (name === "weights" && value) return { kind: "weights", weights: parseLanguageMix(value) };
  return text.includes("=") ? { kind: "counts", counts: parseCounts(text) } : fail(text, "unknown mix");
}
