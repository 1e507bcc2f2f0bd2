import type { ResolvedTask } from "../catalogue/resolve-tasks.ts";

const english = new Intl.DisplayNames("en", { type: "language", fallback: "none" });
const scripts = new Intl.DisplayNames("en", { type: "script", fallback: "none" });
/** Codes that datasets have in the place of the language's. */
const misnamed = new Map([
  ["jp", "ja"],
  ["cz", "cs"],
]);

/** Names that Intl has otherwise. */
const otherNames = new Map([
  ["bengali", "bn"],
  ["north macedonian", "mk"],
  ["tagalog", "fil"],
]);

const isKnown = (code: string): boolean => english.of(code) !== undefined;

/** BCP 47 of a language and a script: the script only where it is not the language's usual one. */
function canonical(language: string, script: string | undefined): string | undefined {
  try {
    const plain = new Intl.Locale(language);
    if (script === undefined) return plain.toString();
    const written = new Intl.Locale(`${language}-${script}`);
    // Korean is written in Hangul with or without Han.
    const isUsual = plain.maximize().script === written.script || written.toString() === "ko-Hang";
    return isUsual ? plain.toString() : written.toString();
  } catch {
    return undefined;
  }
}

let codesByName: ReadonlyMap<string, string> | undefined;

/** Languages by their English name: 18,000 codes are asked for once, about 30 ms. */
function codeOfName(name: string): string | undefined {
  if (codesByName === undefined) {
    const letters = Array.from({ length: 26 }, (_, index) => String.fromCodePoint(97 + index));
    const codes = new Map<string, string>();
    for (const first of letters) {
      for (const second of letters) {
        // Two letters first: "German" is de, not deu.
        for (const third of ["", ...letters]) {
          const code = first + second + third;
          const name = english.of(code)?.toLowerCase();
          const canonicalCode = canonical(code, undefined);
          if (name !== undefined && canonicalCode !== undefined && !codes.has(name)) codes.set(name, canonicalCode);
        }
      }
    }
    codesByName = codes;
  }
  return codesByName.get(name.toLowerCase()) ?? otherNames.get(name.toLowerCase());
}

const parts = (name: string): string[] => name.toLowerCase().split(/[^a-z0-9]+/);

/**
 * The language of a task, BCP 47: `metadata.language`, or the dataset's configuration where it is a language and the
 * task's name has it too (`belebele_hin_Deva` of `hin_Deva`). The configurations of many English datasets look like codes
 * (`rte`, `wic`), so a name that Intl does not know counts only where the task is named after its tag and this code.
 */
export function languageOf({ name, settings, tags }: ResolvedTask): string | undefined {
  const metadata = settings.get("metadata");
  const stated = metadata instanceof Map ? metadata.get("language") : undefined;
  // a tag is kept as it is, so that it is the language of texts that are named so: zh-Hans stays, though zh would do
  if (typeof stated === "string") return tagOf(stated) ?? fromCode(stated, true) ?? codeOfName(stated);
  const configuration = settings.get("dataset_name");
  if (typeof configuration !== "string") return undefined;
  const words = parts(name);
  const found = fromCode(
    configuration,
    tags.some((tag) => name === `${tag}_${configuration}`),
  );
  const [first = ""] = parts(configuration);
  if (found !== undefined) return words.length > 1 && words.includes(first) ? found : undefined;
  return words.join(" ").includes(parts(configuration).join(" ")) ? codeOfName(configuration) : undefined;
}

/** A BCP 47 tag with its subtags in their usual case; undefined for other texts. */
function tagOf(text: string): string | undefined {
  if (!/^[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*$/.test(text)) return undefined;
  try {
    return new Intl.Locale(text).toString();
  } catch {
    return undefined;
  }
}

/** `hin_Deva` → hi, `zho_Hant` → zh-Hant, `eu_mt` → eu. */
function fromCode(text: string, isCertain: boolean): string | undefined {
  const found = /^([A-Za-z]{2,3})(?:[-_]([A-Za-z]{4}))?(?:[-_][A-Za-z0-9]{2,8})*$/.exec(text);
  const code = found?.[1]?.toLowerCase();
  if (code === undefined) return undefined;
  const language = misnamed.get(code) ?? code;
  // `hin_deva` too: Intl knows scripts by their usual case alone.
  const script = found?.[2]?.toLowerCase().replace(/^./, (letter) => letter.toUpperCase());
  // `ARC-Easy` is not Aramaic.
  if (script !== undefined && scripts.of(script) === undefined) return undefined;
  return isCertain || isKnown(language) || script !== undefined ? canonical(language, script) : undefined;
}
