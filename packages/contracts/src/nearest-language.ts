import { nearestWord } from "./did-you-mean.ts";
import { languageTag } from "./language-tag.ts";

const englishNames = new Intl.DisplayNames(["en"], { type: "language", fallback: "none" });
const regionNames = new Intl.DisplayNames(["en"], { type: "region", fallback: "none" });

/** Codes of small languages (in: an old one of Indonesian) by which India, Korea and Sweden are meant as often. */
const oftenRegions: ReadonlySet<string> = new Set(["in", "kr", "se"]);

/** The English name of a language, "Khmer" of km; undefined of what is no tag, or a language without a name. */
export function languageName(text: string): string | undefined {
  const tag = languageTag(text);
  return tag === undefined ? undefined : englishNames.of(tag);
}

/**
 * Whether a text is certainly the code of no language: it is of two letters, and not in ISO 639-1, all of which CLDR names. Codes
 * of three letters are too many for CLDR.
 */
export function isNoLanguage(text: string): boolean {
  const [language = ""] = languageTag(text)?.split("-") ?? [];
  return language.length === 2 && englishNames.of(language) === undefined;
}

/** Whether a word is the English name of a language in any script: "chinese" of zh-Hans. */
function isNameOf(word: string, text: string): boolean {
  const [language = ""] = languageTag(text)?.split("-") ?? [];
  return language !== "" && englishNames.of(language)?.toLowerCase() === word.toLowerCase();
}

/**
 * The tag of the language that is likely spoken in a country, by its code of two letters: km of kh. Undefined of a code that is
 * a language's too, as a rule: mr is Marathi, and nobody means Mauritania.
 */
function languageOfRegion(code: string): string | undefined {
  if (!/^[a-z]{2}$/i.test(code) || regionNames.of(code.toUpperCase()) === undefined) return undefined;
  if (languageName(code) !== undefined && !oftenRegions.has(code.toLowerCase())) return undefined;
  const { language, script, region } = new Intl.Locale(`und-${code}`).maximize();
  // ZZ, an unknown region, becomes another one
  return language === undefined || region !== code.toUpperCase()
    ? undefined
    : languageTag(script === undefined ? language : `${language}-${script}`);
}

/** Whether a name that is known may be what was asked for, by what was confused; the likeliest first. */
const slips: readonly ((asked: string, known: string) => boolean)[] = [
  (asked, known) => languageTag(asked) !== undefined && languageTag(asked) === languageTag(known),
  (asked, known) => isNameOf(asked, known),
  (asked, known) => languageTag(known) !== undefined && languageOfRegion(asked) === languageTag(known),
  (asked, known) => isNameOf(known, asked),
  (asked, known) =>
    languageTag(asked) !== undefined && languageName(known) === undefined && languageOfRegion(known) === languageTag(asked),
];

/**
 * The name among `known` that a language is likely meant by: another code of it (khm, km), its English name (hindi, hi), a code
 * of a country where it is spoken (kh, km), or a misspelt one; undefined where there is none. `known` may have such names too.
 */
export function nearestLanguage(asked: string, known: readonly string[]): string | undefined {
  for (const isSlip of slips) {
    const found = known.find((name) => isSlip(asked, name));
    if (found !== undefined) return found;
  }
  // a code or name of another language is not misspelt, and codes are too short to tell
  if (languageName(asked) !== undefined || asked.length <= 3) return undefined;
  const names = new Map(known.flatMap((name) => [[name, name] as const, [(languageName(name) ?? name).toLowerCase(), name]]));
  const nearest = nearestWord(asked.toLowerCase(), [...names.keys()]);
  return nearest === undefined ? undefined : names.get(nearest);
}

/** "did you mean km (Khmer)? ", where languages that were asked for are likely some of those that are known; else "". */
export function didYouMeanLanguage(asked: readonly string[], known: readonly string[]): string {
  const near = new Set(asked.flatMap((name) => nearestLanguage(name, known) ?? []));
  const shown = [...near].map((name) => {
    const english = languageName(name);
    return english === undefined ? name : `${name} (${english})`;
  });
  return shown.length === 0 ? "" : `did you mean ${shown.join(" and ")}? `;
}
