/** Of these two scripts are in wide use, so that the tag always names one: zh-Hans, zh-Hant, sr-Cyrl, sr-Latn. */
const namedScripts: ReadonlySet<string> = new Set(["zh", "sr"]);

/** Codes for the same texts that Intl keeps apart: "no" is Bokmål in practice, and Malay has a code of its own besides ms. */
const sameLanguage: ReadonlyMap<string, string> = new Map([
  ["no", "nb"],
  ["zlm", "ms"],
]);

/** Scripts that are part of a language's usual one: Hang of ko (Kore), Hani of zh without saying which. */
const parts: ReadonlyMap<string, readonly string[]> = new Map([
  ["Hang", ["Kore"]],
  ["Hani", ["Hans", "Hant", "Jpan"]],
]);

const modifiers: ReadonlyMap<string, string> = new Map([
  ["latin", "Latn"],
  ["cyrillic", "Cyrl"],
  ["devanagari", "Deva"],
]);

/**
 * One BCP 47 tag for a language in a script, whatever way it is written: hi, hin, hin_Deva and hi_IN are "hi"; zh, zho_Hans,
 * cmn-Hans and zh_CN are "zh-Hans"; zh_TW is "zh-Hant"; sr@latin is "sr-Latn". Regions and variants count for the script alone.
 * The script is left out where it is the language's usual one, but for Chinese and Serbian.
 *
 * Codes are mapped by the CLDR data in Node's Intl: a language that has a code of two letters gets it, and of a group its
 * largest language gets the group's (arb is "ar", arz is not).
 *
 * @returns undefined where the text is no tag: "Hindi", "", "en us"
 */
export function languageTag(text: string): string | undefined {
  const [, name = "", modifier] = /^([^@]*)(?:@(.*))?$/.exec(text.trim()) ?? [];
  const [code = "", ...rest] = name.replaceAll("_", "-").split("-");
  if (!/^[a-z]{2,3}$/i.test(code)) return undefined;
  const script = modifiers.get(modifier?.toLowerCase() ?? "");
  let locale: Intl.Locale;
  try {
    locale = new Intl.Locale([code, ...(script === undefined ? [] : [script]), ...rest].join("-"));
  } catch {
    return undefined;
  }
  // "und", an unknown language, has nothing that could be said of it
  if (locale.language === undefined || locale.language === "und") return undefined;
  const written = locale.maximize().script;
  const language = sameLanguage.get(locale.language) ?? locale.language;
  const usual = new Intl.Locale(language).maximize().script;
  // A language that CLDR does not know is taken to be written in Latin letters, which need not be said.
  if (usual === undefined) return written === undefined || written === "Latn" ? language : `${language}-${written}`;
  const isUsual = written === usual || parts.get(written ?? "")?.includes(usual) === true;
  const shown = isUsual ? usual : written;
  return isUsual && !namedScripts.has(language) ? language : `${language}-${shown}`;
}
