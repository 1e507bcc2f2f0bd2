import { UsageError } from "@mbs/contracts";
import type { Corpus } from "./corpus.ts";

/** Languages to choose from. */
export interface OfferedLanguages {
  readonly languages: readonly string[];
  /** What has them, with its verb, for messages: "corpus web has". */
  readonly origin: string;
}

/** All languages of a corpus. */
export const languagesOf = ({ name, languages }: Pick<Corpus, "name" | "languages">): OfferedLanguages => ({
  languages,
  origin: `corpus ${name} has`,
});

/**
 * The languages that an option names, each once.
 *
 * @param option for messages: "--keep"
 * @throws {UsageError} where there are none, or one is not offered
 */
export function requireLanguages(
  named: readonly string[],
  { languages, origin }: OfferedLanguages,
  option: string,
): readonly string[] {
  const missing = named.filter((language) => !languages.includes(language));
  if (named.length === 0 || missing.length > 0) {
    throw new UsageError(
      `${option} ${named.join(",")}: ${origin} ${missing.length === 0 ? "" : `no texts of ${missing.join(", ")}, but of `}${languages.join(", ")}; name some of these`,
      { option, ...(missing.length > 0 && { languages: missing.join(",") }) },
    );
  }
  return [...new Set(named)];
}

/** The option of a stage that takes some languages of its corpus alone. */
export const languagesOption = {
  kind: "list",
  optional: true,
  placeholder: "LANG,…",
  description: "the languages of the corpus that are taken (all)",
} as const;

/**
 * The languages of a corpus that `--languages` names, in the order of the corpus; all, where it is not given.
 *
 * @throws as requireLanguages
 */
export function takenLanguages(
  corpus: Pick<Corpus, "name" | "languages">,
  named: readonly string[] | undefined,
): OfferedLanguages {
  if (named === undefined) return languagesOf(corpus);
  const taken = new Set(requireLanguages(named, languagesOf(corpus), "--languages"));
  return { languages: corpus.languages.filter((language) => taken.has(language)), origin: "--languages takes" };
}
