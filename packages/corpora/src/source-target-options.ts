import { UsageError, type OptionTable } from "@mbs/contracts";

/** Field of the target, where none is named. */
const defaultTargetField = "target";

/** How a stage takes sources with their targets. */
export const sourceTargetOptions = {
  sourceTarget: {
    kind: "flag",
    description:
      'for encoder-decoders: read a source and its target, from two fields of the corpus ("source", or --field), in the place of texts',
  },
  targetField: {
    kind: "text",
    optional: true,
    description: `field or column of the target with --source-target ("${defaultTargetField}")`,
  },
  targetLanguage: {
    kind: "text",
    optional: true,
    description:
      "language of the targets with --source-target, for models that read it (M2M-100, NLLB, mBART): hi, or that of each language of the corpus, en=hi,de=mr; a source's is its language in the corpus",
    check: (text: string) => parseTargetLanguage(text),
  },
} as const satisfies OptionTable;

/**
 * @returns the language of the targets, of all or by the corpus's language
 * @throws {UsageError} where a part of a list has another form, or a language is named twice
 */
function parseTargetLanguage(text: string): string | ReadonlyMap<string, string> {
  if (!/[=,]/.test(text)) return text;
  const named = new Map<string, string>();
  for (const part of text.split(",")) {
    const [, source, target] = /^([^=\s]+)=([^=\s]+)$/.exec(part) ?? [];
    if (source === undefined || target === undefined || named.has(source)) {
      throw new UsageError(
        `--target-language ${text}: ${JSON.stringify(part)} must be LANG=LANG, each language of the corpus once; or give one language for all`,
        { option: "--target-language" },
      );
    }
    named.set(source, target);
  }
  return named;
}

/**
 * The languages of the sources of a corpus's language and of their targets.
 *
 * @returns the target's as undefined where none is named
 * @throws {UsageError} where those of other languages of the corpus alone are named
 */
export function pairLanguages(
  source: string,
  { targetLanguage }: { readonly targetLanguage?: string | undefined },
): { readonly source: string; readonly target: string | undefined } {
  const named = targetLanguage === undefined ? undefined : parseTargetLanguage(targetLanguage);
  if (named === undefined || typeof named === "string") return { source, target: named };
  const target = named.get(source);
  if (target !== undefined) return { source, target };
  throw new UsageError(`--target-language names no language for the targets of ${source}; add ${source}=LANG`, {
    option: "--target-language",
    language: source,
  });
}

/**
 * The field of targets that the options ask for.
 *
 * @returns undefined where texts are read by themselves
 * @throws {UsageError} on what goes with --source-target alone
 */
export function targetFieldOf(values: {
  readonly sourceTarget: boolean;
  readonly targetField?: string | undefined;
  readonly targetLanguage?: string | undefined;
}): string | undefined {
  if (values.sourceTarget) return values.targetField ?? defaultTargetField;
  for (const [key, option] of [
    ["targetField", "--target-field"],
    ["targetLanguage", "--target-language"],
  ] as const) {
    if (values[key] !== undefined) throw new UsageError(`${option} goes with --source-target`, { option });
  }
  return undefined;
}
