import { InterruptedError } from "@mbs/contracts";
import type { OpenChat, StageContext } from "@mbs/contracts";
import { languagesOf, requireLanguages } from "@mbs/corpora";
import type { Corpus } from "@mbs/corpora";
import { chatOf } from "@mbs/models";
import type { Model, Tokenizer } from "@mbs/models";
import type { KeptReason, KeptTokens } from "./kept-tokens.ts";
import { partSizes } from "./part-sizes.ts";
import type { PartSizes } from "./part-sizes.ts";
import { countTokens, requireTokens } from "./token-use.ts";
import type { TokenUse } from "./token-use.ts";
import { openTrimmable, trimVocabulary } from "./trimming.ts";

/** What the texts of a language are with a vocabulary that was trimmed. */
export interface TrimmedText {
  readonly tokens: number;
  /** Undefined where the texts have no token. */
  readonly bytesPerToken?: number;
  /** Tokens more than before, as a share: 0.25 is a quarter more. Undefined where there were none. */
  readonly moreTokens?: number;
  /** Texts that are the same tokens as before. */
  readonly sameTexts: number;
  /** Texts that both tokenizers do not give back alike: none, where nothing is lost. */
  readonly changedTexts: number;
}

/** What the texts of a language are, with the source's tokenizer and the trimmed one. */
export interface ComparedText {
  readonly language: string;
  readonly isKept: boolean;
  readonly texts: number;
  readonly bytes: number;
  readonly tokens: number;
  /** Undefined where the texts have no token. */
  readonly bytesPerToken?: number;
  readonly trimmed?: TrimmedText;
}

/** How a language uses the vocabulary. */
export interface LanguageVocabulary extends ComparedText {
  /** Tokens that its texts have. */
  readonly rows: number;
  /** Of these, tokens that no other language's texts have. */
  readonly ownRows: number;
  /** Share of its tokens, as often as they occur, whose rows stay. Undefined where it has none. */
  readonly covered?: number;
}

/** What `mbs vocabulary` says. */
export interface VocabularyReport {
  /** Rows of the source's embedding. */
  readonly rows: number;
  /** Bytes as they are stored. */
  readonly sizes: PartSizes;
  readonly languages: readonly LanguageVocabulary[];
  /** What goes, where languages to keep were named. */
  readonly trimmed?: {
    readonly keep: readonly string[];
    readonly rows: number;
    /** Why rows stay; each counts for the first reason that it has. */
    readonly reasons: Readonly<Record<KeptReason, number>>;
    readonly sizes: PartSizes;
  };
  /** The same for texts that did not choose the tokens. */
  readonly heldOut?: { readonly corpus: string; readonly languages: readonly ComparedText[] };
}

/** What to look at. */
export interface VocabularyQuestion {
  readonly corpus: Corpus;
  /** Languages to keep; undefined: only what each language uses. */
  readonly keep: readonly string[] | undefined;
  readonly heldOut: Corpus | undefined;
  readonly multiple: number;
}

type Context = Pick<StageContext, "signal" | "progress">;

/** The tokenizers before and after, and the new ids of tokens. */
interface BothTokenizers {
  readonly before: Tokenizer;
  readonly after: Tokenizer;
  readonly newId: KeptTokens["newId"];
}

/** A share or mean; nothing where it would be of no tokens. */
const perToken = <Key extends string>(key: Key, total: number, tokens: number): { readonly [name in Key]?: number } =>
  (tokens === 0 ? {} : { [key]: total / tokens }) as { readonly [name in Key]?: number };

/** Whether a text is the same tokens before and after. */
const isSame = (old: Int32Array, own: Int32Array, newId: KeptTokens["newId"]): boolean =>
  old.length === own.length && old.every((id, index) => newId(id) === own[index]);

/** Both tokenizers on the texts of a language. @param total texts of it; undefined where they were not counted */
async function compareTexts(
  corpus: Corpus,
  language: string,
  { before, after, newId }: BothTokenizers,
  { signal, progress, chat }: Context & { readonly chat: OpenChat },
  total?: number,
): Promise<Pick<TokenUse, "texts" | "bytes" | "tokens"> & { readonly trimmed: TrimmedText }> {
  let [texts, bytes, tokens, trimmedTokens, sameTexts, changedTexts] = [0, 0, 0, 0, 0, 0];
  for await (const { text } of corpus.documents(language, chat)) {
    if (signal.aborted) throw new InterruptedError("stopped while texts were compared");
    const [old, own] = [before.encode(text, language), after.encode(text, language)];
    texts += 1;
    bytes += Buffer.byteLength(text);
    tokens += old.length;
    trimmedTokens += own.length;
    if (isSame(old, own, newId)) sameTexts += 1;
    else if (before.decode(old) !== after.decode(own)) changedTexts += 1;
    progress({
      ...(total === undefined
        ? { activity: `compare held-out texts of ${language}` }
        : { activity: `compare ${language}`, total }),
      done: texts,
      unit: "texts",
    });
  }
  const trimmed = {
    tokens: trimmedTokens,
    ...perToken("bytesPerToken", bytes, trimmedTokens),
    ...perToken("moreTokens", trimmedTokens - tokens, tokens),
    sameTexts,
    changedTexts,
  };
  return { texts, bytes, tokens, trimmed };
}

/** How often texts have tokens that stay, as a share of their tokens. */
function coveredShare({ counts, tokens }: TokenUse, isKept: (id: number) => boolean): Pick<LanguageVocabulary, "covered"> {
  let covered = 0;
  for (const [id, count] of counts) if (isKept(id)) covered += count;
  return perToken("covered", covered, tokens);
}

/** Of each language how many tokens its texts have, and how many of them no other language's. */
function rowsByLanguage(uses: readonly TokenUse[]): ReadonlyMap<string, Pick<LanguageVocabulary, "rows" | "ownRows">> {
  const users = new Map<number, number>();
  for (const { counts } of uses) for (const id of counts.keys()) users.set(id, (users.get(id) ?? 0) + 1);
  return new Map(
    uses.map(({ language, counts }) => [
      language,
      { rows: counts.size, ownRows: [...counts.keys()].filter((id) => users.get(id) === 1).length },
    ]),
  );
}

/**
 * What each language of a corpus uses of a model's vocabulary and, where languages to keep are named, what goes and what it
 * costs: rows, bytes, and of each language the bytes a token.
 *
 * @throws {UsageError} on a language that the corpus does not have
 * @throws {BadDataError} where texts of a language to keep have no token, or one without a row in the embedding
 * @throws {FailedPreconditionError} for a model whose vocabulary cannot be trimmed
 */
export async function reportVocabulary(
  model: Model,
  { corpus, keep, heldOut, multiple }: VocabularyQuestion,
  given: Context,
): Promise<VocabularyReport> {
  const context = { ...given, chat: chatOf(model) };
  const kept = keep && requireLanguages(keep, languagesOf(corpus), "--keep");
  const source = await openTrimmable(model);
  const uses = await countTokens(corpus, corpus.languages, source.tokenizer, context);
  const rows = rowsByLanguage(uses);
  const isKept = (language: string): boolean => kept?.includes(language) ?? false;
  const described = (use: TokenUse): LanguageVocabulary => {
    const { language, texts, bytes, tokens } = use;
    const own = rows.get(language) ?? { rows: 0, ownRows: 0 };
    return { language, isKept: isKept(language), texts, bytes, tokens, ...perToken("bytesPerToken", bytes, tokens), ...own };
  };
  const whole = { rows: model.vocabularySize, sizes: partSizes(source.model) };
  if (kept === undefined) return { ...whole, languages: uses.map(described) };

  const keptUses = requireTokens(
    uses.filter(({ language }) => isKept(language)),
    corpus,
  );
  const { kept: chosen, tokenizer, trimmed } = await trimVocabulary(source, keptUses, multiple);
  const both = { before: source.tokenizer, after: tokenizer, newId: chosen.newId };
  const languages: LanguageVocabulary[] = [];
  for (const use of uses) {
    const compared = await compareTexts(corpus, use.language, both, context, use.texts);
    const covered = coveredShare(use, (id) => chosen.newId(id) !== undefined);
    languages.push({ ...described(use), trimmed: compared.trimmed, ...covered });
  }
  const others: ComparedText[] = [];
  for (const language of heldOut?.languages ?? []) {
    const compared = await compareTexts(heldOut ?? corpus, language, both, context);
    others.push({
      language,
      isKept: isKept(language),
      ...compared,
      ...perToken("bytesPerToken", compared.bytes, compared.tokens),
    });
  }
  return {
    ...whole,
    languages,
    trimmed: { keep: kept, rows: chosen.rows.length, reasons: chosen.reasons, sizes: partSizes(trimmed) },
    ...(heldOut && { heldOut: { corpus: heldOut.name, languages: others } }),
  };
}
