import { BadDataError, UsageError } from "./errors.ts";
import { quoted } from "./printable.ts";

/** Language → weight, not yet normalised. */
export type LanguageMix = ReadonlyMap<string, number>;

/** The largest weight of a language; larger ones could add up to infinity. */
export const mostWeight = 1e12;

/**
 * Parses `en=0.5,fr=0.5`. Weights need not sum to one.
 *
 * @param option the flag that was given, for messages
 * @throws {UsageError} on a malformed entry, a language given twice, or no weight above zero
 */
export function parseLanguageMix(text: string, option = "--mix"): LanguageMix {
  const mix = new Map<string, number>();
  for (const entry of text.split(",")) {
    const [, language, digits] = /^\s*([^=\s]+)\s*=\s*(\S+)\s*$/.exec(entry) ?? [];
    const weight = Number(digits);
    if (language === undefined || !(weight >= 0 && weight <= mostWeight)) {
      throw new UsageError(`${option} takes LANGUAGE=WEIGHT,… with weights from 0 to ${mostWeight}, not ${quoted(entry)}`, {
        option,
      });
    }
    if (mix.has(language)) throw new UsageError(`${option} names ${language} twice`, { option, language });
    mix.set(language, weight);
  }
  if (![...mix.values()].some((weight) => weight > 0)) throw new UsageError(`${option} needs a weight above 0`, { option });
  return mix;
}

/** A mix as `--mix` takes it: `en=0.5,fr=0.5`. */
export const formatLanguageMix = (mix: LanguageMix): string =>
  [...mix].map(([language, weight]) => `${language}=${weight}`).join(",");

/**
 * The weight of every language that a site has seen, sum 1.
 *
 * @param tokens language → tokens seen
 * @param mix replaces the share of tokens; a language that it leaves out weighs 0
 * @throws {UsageError} when the mix names a language that was not seen
 * @throws {BadDataError} when nothing was seen
 */
export function languageWeights(tokens: ReadonlyMap<string, number>, mix: LanguageMix | undefined): Record<string, number> {
  for (const [language, weight] of mix ?? []) {
    if (weight > 0 && !(tokens.get(language) ?? 0)) {
      const known = [...tokens.keys()].join(", ");
      throw new UsageError(`--mix names ${language}, of which there are no tokens; the statistics have ${known}`, { language });
    }
  }
  const raw = [...tokens].map(([language, count]) => [language, mix ? (mix.get(language) ?? 0) : count] as const);
  const sum = raw.reduce((total, [, weight]) => total + weight, 0);
  if (sum === 0) throw new BadDataError("the statistics were made of no tokens; capture again with text");
  return Object.fromEntries(raw.map(([language, weight]) => [language, weight / sum]));
}

/** How far shares of equal weights may differ: rounding of float64. A pooled Gram is exact for one mix only. */
const roundingOfWeights = 1e-9;

/** Whether weights are equal up to a common factor, and so are their shares. */
export function areProportional(first: LanguageMix, second: LanguageMix): boolean {
  const tokens = new Map([...first.keys(), ...second.keys()].map((language) => [language, 1] as const));
  const [a, b] = [languageWeights(tokens, first), languageWeights(tokens, second)];
  return Object.entries(a).every(([language, share]) => {
    const other = b[language];
    return other !== undefined && Math.abs(share - other) < roundingOfWeights;
  });
}
