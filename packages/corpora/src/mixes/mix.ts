import { didYouMean, parseLanguageMix, UsageError } from "@mbs/contracts";
import type { LanguageMix } from "@mbs/contracts";

/** How much each language counts, as asked for. */
export type Mix =
  | { readonly kind: "proportional" }
  | { readonly kind: "equal" }
  | { readonly kind: "only"; readonly language: string }
  /** Shares to the power α: 1 is proportional, 0 equal over the languages of the distribution. */
  | { readonly kind: "temperature"; readonly alpha: number }
  /** Shares as given, on any scale: what `mbs mix` recommends. */
  | { readonly kind: "weights"; readonly weights: LanguageMix };

/** What `--mix` takes, in words. */
export const mixForms = "proportional, equal, only:LANG, temperature:ALPHA, or weights LANG=WEIGHT,…";

/** The words that a mix begins with. */
const names = ["proportional", "equal", "only", "temperature"];

function fail(text: string, what: string, near = ""): never {
  throw new UsageError(`--mix ${JSON.stringify(text)}: ${what}; ${near}it takes ${mixForms}`, { mix: text });
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
  if (text.includes("=")) return { kind: "weights", weights: parseLanguageMix(text) };
  if (names.includes(name)) return fail(text, `${name} takes something behind a colon`);
  return fail(text, "unknown mix", didYouMean(name, names));
}

/** How many segments a mix asks for by itself: whole weights are segments of each language. @returns undefined where it does not say */
export function segmentsOfMix(mix: Mix): number | undefined {
  if (mix.kind !== "weights") return undefined;
  const weights = [...mix.weights.values()];
  return weights.every(Number.isInteger) ? weights.reduce((sum, weight) => sum + weight, 0) : undefined;
}

/** Whether a mix says by itself which languages it takes. */
export const namesLanguages = ({ kind }: Mix): boolean => ["only", "weights"].includes(kind);
