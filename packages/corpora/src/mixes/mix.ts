import { didYouMean, parseLanguageMix, UsageError } from "@mbs/contracts";
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

/** The words that a mix begins with. */
const names = ["proportional", "equal", "only", "temperature", "weights"];

function fail(text: string, what: string, near = ""): never {
  throw new UsageError(`--mix ${JSON.stringify(text)}: ${what}; ${near}it takes ${forms}`, { mix: text });
}

function parseCounts(text: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const entry of text.split(",")) {
    const [, language, count] = /^\s*([^=\s]+)=(\d{1,9})\s*$/.exec(entry) ?? [];
    if (language === undefined) fail(text, `${JSON.stringify(entry)} is no LANG=COUNT`);
    if (counts.has(language)) fail(text, `it names ${language} twice`);
    if (Number(count) > 0) counts.set(language, Number(count));
  }
  return counts.size > 0 ? counts : fail(text, "no language has a segment");
}

/** With a larger one the shares of all languages would be 0 in double precision. */
const mostAlpha = 100;

/** What `temperature:ALPHA` takes, in words. */
export const alphaBounds = `a number from 0 to ${mostAlpha}`;

/** @returns undefined on any other value */
export function parseAlpha(text: string): number | undefined {
  const alpha = text.trim() === "" ? NaN : Number(text);
  return alpha >= 0 && alpha <= mostAlpha ? alpha : undefined;
}

/**
 * @param text the value of `--mix`
 * @throws {UsageError} on any other form
 */
export function parseMix(text: string): Mix {
  if (text === "proportional" || text === "equal") return { kind: text };
  const [name = "", value] = text.split(":", 2);
  if (name === "only" && value) return { kind: "only", language: value };
  if (name === "temperature") {
    const alpha = parseAlpha(value ?? "");
    return alpha === undefined ? fail(text, `ALPHA must be ${alphaBounds}`) : { kind: "temperature", alpha };
  }
  if (name === "weights" && value) return { kind: "weights", weights: parseLanguageMix(value) };
  if (text.includes("=")) return { kind: "counts", counts: parseCounts(text) };
  if (names.includes(name)) return fail(text, `${name} takes something behind a colon`);
  return fail(text, "unknown mix", didYouMean(name, names));
}

/** Whether a mix says by itself which languages it takes. */
export const namesLanguages = ({ kind }: Mix): boolean => ["only", "weights", "counts"].includes(kind);
