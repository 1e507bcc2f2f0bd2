import { BadDataError, InterruptedError } from "@mbs/contracts";
import type { OpenChat, StageContext } from "@mbs/contracts";
import type { Corpus } from "@mbs/corpora";
import type { Tokenizer } from "@mbs/models";

/** What the texts of a language are as tokens. */
export interface TokenUse {
  readonly language: string;
  readonly texts: number;
  /** UTF-8 bytes of all texts. */
  readonly bytes: number;
  readonly tokens: number;
  /** Of each token how often the texts have it, by id. */
  readonly counts: ReadonlyMap<number, number>;
  /** Tokens at blank lines between two texts, with which segments and windows join them. */
  readonly between: ReadonlySet<number>;
}

interface CountContext extends Pick<StageContext, "signal" | "progress"> {
  /** Of the model that has the tokenizer. */
  readonly chat: OpenChat;
}

/** Characters before and behind such a blank line that are encoded with it. */
const besideCharacters = 48;

async function countLanguage(
  corpus: Corpus,
  language: string,
  tokenizer: Tokenizer,
  { signal, chat }: Pick<CountContext, "signal" | "chat">,
  onText: () => void,
): Promise<TokenUse> {
  const counts = new Map<number, number>();
  const between = new Set<number>();
  let [texts, bytes, tokens] = [0, 0, 0];
  let before: string | undefined;
  for await (const { text } of corpus.documents(language, chat)) {
    if (signal.aborted) throw new InterruptedError("stopped while tokens were counted");
    const ids = tokenizer.encode(text, language);
    for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
    if (before !== undefined) {
      for (const id of tokenizer.encode(`${before}\n\n${text.slice(0, besideCharacters)}`, language)) between.add(id);
    }
    before = text.slice(-besideCharacters);
    texts += 1;
    bytes += Buffer.byteLength(text);
    tokens += ids.length;
    onText();
  }
  return { language, texts, bytes, tokens, counts, between };
}

/** How often each language's texts have each token. @throws {InterruptedError} */
export async function countTokens(
  corpus: Corpus,
  languages: readonly string[],
  tokenizer: Tokenizer,
  { signal, progress, chat }: CountContext,
): Promise<readonly TokenUse[]> {
  const uses: TokenUse[] = [];
  let done = 0;
  for (const language of languages) {
    const onText = (): void => progress({ activity: "count tokens", done: ++done, unit: "texts" });
    uses.push(await countLanguage(corpus, language, tokenizer, { signal, chat }, onText));
  }
  return uses;
}

/**
 * The use of kept languages, each of which chooses tokens.
 *
 * @throws {BadDataError} where the texts of one have no token, so that only what every language needs would stay for it
 */
export function requireTokens(uses: readonly TokenUse[], { name }: Corpus): readonly TokenUse[] {
  const empty = uses.find(({ tokens }) => tokens === 0);
  if (empty === undefined) return uses;
  const { language } = empty;
  throw new BadDataError(
    `corpus ${name}: the texts of ${language} have no token, so none can be kept for it; give it texts, or leave it out of --keep`,
    { corpus: name, language },
  );
}

/** Tokens that some languages use, between texts too. */
export const usedTokens = (uses: readonly TokenUse[]): ReadonlySet<number> =>
  new Set(uses.flatMap(({ counts, between }) => [...counts.keys(), ...between]));
