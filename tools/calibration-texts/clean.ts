const markup = /<\/?[a-z]+[^>]*>|&[a-z]+;|\{\{|\}\}|https?:\/\/|www\./i;
/** Control characters, what stands for a character that could not be read, private and unassigned code points. */
const broken = /[\p{Cc}\p{Co}\p{Cn}\ufffd]/u;
const letter = /[\p{L}\p{M}]/gu;
const visible = /\S/gu;
const englishWords = new Set(
  "the of to and is are in that this with for you your can be will not or from by on it if when which use select click choose enter value cell text file".split(
    " ",
  ),
);
/** Scripts that a text can be written in, as Unicode's property has them; Jpan, Kore, Hans and Hant are made of these. */
const scriptNames =
  "Adlm Arab Armn Beng Bopo Cakm Cans Cher Cyrl Deva Ethi Geor Gran Grek Gujr Guru Hang Hani Hebr Hira Java Kana Khmr Knda Lana Laoo Latn Mlym Mong Mymr Nkoo Olck Orya Sinh Syrc Taml Tavt Telu Tfng Tglg Thaa Thai Tibt Vaii Yiii".split(
    " ",
  );
const scriptPatterns = scriptNames.map((name) => [name, new RegExp(`\\p{Script=${name}}`, "gu")] as const);
const written: Readonly<Record<string, readonly string[]>> = {
  Jpan: ["Hani", "Hira", "Kana"],
  Kore: ["Hang", "Hani"],
  Hans: ["Hani"],
  Hant: ["Hani"],
};
/** Common characters with two forms. */
const simplified = /[国们这个权为无会员学]/g;
const traditional = /[國們這個權為無會員學]/g;

/** Letters of a script with their marks, also those that several scripts have. */
const ownLetters = new Map<string, RegExp>();

function ownLettersOf(script: string): RegExp {
  const names = (written[script] ?? [script]).map((name) => `\\p{Script_Extensions=${name}}`).join("");
  const pattern = ownLetters.get(script) ?? new RegExp(`[[${names}]&&[\\p{L}\\p{M}]]`, "gv");
  ownLetters.set(script, pattern);
  return pattern;
}

const count = (text: string, pattern: RegExp): number => text.match(pattern)?.length ?? 0;

/**
 * NFC; no soft hyphens, byte-order marks, direction marks or zero-width spaces, which one Khmer text has behind every word and
 * another nowhere; one space between words. The joiners that letters need stay.
 */
export const normalise = (text: string): string =>
  text
    .normalize("NFC")
    .replaceAll(/[\u00ad\ufeff\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "")
    .replaceAll(/\s+/g, " ")
    .trim();

/** What two paragraphs are compared by. */
export const paragraphKey = (text: string): string => text.toLowerCase().replaceAll(/[^\p{L}\p{M}\p{N}]/gu, "");

/** The script that most letters of a text have: "Latn", "Jpan", "Hant". */
export function scriptOf(text: string): string {
  const counts = scriptPatterns.map(([name, pattern]) => [name, count(text, pattern)] as const);
  const [most] = counts.toSorted(([, a], [, b]) => b - a)[0] ?? ["Zyyy"];
  const has = (name: string): boolean => counts.some(([other, found]) => other === name && found > text.length / 20);
  if (["Hani", "Hira", "Kana"].includes(most) && has("Hira")) return "Jpan";
  if (most === "Hang") return "Kore";
  if (most === "Hani") return count(text, traditional) > count(text, simplified) ? "Hant" : "Hans";
  return most;
}

/** Enough letters, nearly all of them in the language's script, without markup or broken characters. */
export function isRunningText(text: string, script: string): boolean {
  if (markup.test(text) || broken.test(text)) return false;
  const letters = count(text, letter);
  const own = count(text, ownLettersOf(script));
  const isDense = letters >= 0.6 * count(text, visible);
  const least = written[script]?.includes("Hani") ? 3 : 6;
  return own >= least && isDense && own >= (script === "Latn" ? 0.9 : 0.5) * letters;
}

/** Left in English, or half of it, though its source is unknown: a quarter of its Latin words are common English ones. */
export function looksEnglish(text: string): boolean {
  const words = text.toLowerCase().match(/[a-z]+/g) ?? [];
  const hits = words.filter((word) => englishWords.has(word)).length;
  return hits >= 3 && hits > words.length / 4;
}
