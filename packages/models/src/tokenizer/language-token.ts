import { FailedPreconditionError, languageTag } from "@mbs/contracts";
import type { Tokenizer } from "./tokenizer.ts";

/**
 * The token of a language, which may be named as the tokenizer does (eng_Latn) or by another tag of the same language and
 * script (en, eng, en_US).
 *
 * @throws {FailedPreconditionError} where the tokenizer has none, or several for the tag
 */
export function languageTokenOf({ languages }: Pick<Tokenizer, "languages">, language: string): number {
  const own = languages.get(language);
  if (own !== undefined) return own;
  const tag = languageTag(language);
  const found = tag === undefined ? [] : [...languages].filter(([name]) => languageTag(name) === tag);
  const [first, ...others] = found;
  if (first !== undefined && others.length === 0) return first[1];
  const names = (found.length > 0 ? found : [...languages]).map(([name]) => name).join(", ");
  const fault = found.length > 0 ? "several tokens for" : "no token of";
  throw new FailedPreconditionError(
    `the tokenizer has ${fault} the language ${language}; name the language as the tokenizer does: ${names || "it has none"}`,
    { language },
  );
}
