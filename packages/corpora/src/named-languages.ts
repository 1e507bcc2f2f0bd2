import { UsageError } from "@mbs/contracts";
import type { Corpus } from "./corpus.ts";

/**
 * The languages that an option names, each once.
 *
 * @param option for messages: "--keep"
 * @throws {UsageError} where there are none, or the corpus does not have one
 */
export function requireLanguages(
  named: readonly string[],
  { name, languages }: Pick<Corpus, "name" | "languages">,
  option: string,
): readonly string[] {
  const missing = named.filter((language) => !languages.includes(language));
  if (named.length === 0 || missing.length > 0) {
    throw new UsageError(
      `${option} ${named.join(",")}: corpus ${name} has ${missing.length === 0 ? "" : `no texts of ${missing.join(", ")}, but of `}${languages.join(", ")}; name languages of the corpus`,
      { option },
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
): readonly string[] {
  if (named === undefined) return corpus.languages;
  const taken = new Set(requireLanguages(named, corpus, "--languages"));
  return corpus.languages.filter((language) => taken.has(language));
}
