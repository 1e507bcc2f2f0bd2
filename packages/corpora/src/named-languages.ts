import { didYouMeanLanguage, isNoLanguage, UsageError } from "@mbs/contracts";
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
      `${option} ${named.join(",")}: ${origin} ${missing.length === 0 ? "" : `no texts of ${missing.map((own) => (isNoLanguage(own) ? `${own} (no known language)` : own)).join(", ")}, but of `}${languages.join(", ")}; ${didYouMeanLanguage(missing, languages)}name some of these`,
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

/**
 * The languages of a corpus that `--languages` names; where it is not given, those that models were trimmed for, said in one
 * line: texts of others are many short tokens for a trimmed tokenizer. All, where no model was trimmed.
 *
 * @param kept the languages of each trimmed model; undefined of one that was not trimmed
 * @throws {UsageError} as requireLanguages, and where the corpus has none of the kept languages
 */
export function languagesForModels(
  corpus: Pick<Corpus, "name" | "languages">,
  named: readonly string[] | undefined,
  kept: readonly (readonly string[] | undefined)[],
  warn: (message: string) => void,
): OfferedLanguages {
  const keep = new Set(kept.flatMap((own) => own ?? []));
  const { name, languages } = corpus;
  if (named !== undefined || keep.size === 0) return takenLanguages(corpus, named);
  const own = languages.filter((language) => keep.has(language));
  if (own.length === languages.length) return languagesOf(corpus);
  const all = [...keep].join(", ");
  if (own.length === 0) {
    throw new UsageError(
      `corpus ${name} has none of ${all}, which the model was trimmed for, but ${languages.join(", ")}; give other texts, or name its languages by --languages`,
      { option: "--languages" },
    );
  }
  warn(`takes ${own.join(", ")} of corpus ${name}, which the model was trimmed for; name others by --languages`);
  return { languages: own, origin: "of the languages that the model was trimmed for, the corpus has" };
}
