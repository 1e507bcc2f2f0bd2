import { BadDataError, rangeOfShards } from "@mbs/contracts";
import type { StageContext } from "@mbs/contracts";
import { pairLanguages } from "@mbs/corpora";
import type { Corpus } from "@mbs/corpora";
import { chatAddress, chatOf, openChat } from "@mbs/models";
import type { Model, Passage, Tokenizer } from "@mbs/models";
import { AnswerCutter } from "./conversation-windows.ts";
import { sourceTargetWindows, textWindows } from "./passage-windows.ts";
import type { PassageWindow } from "./passage-windows.ts";
import type { ScoredBy } from "./run-windows.ts";
import type { TextChoice } from "./text-options.ts";
import { cutWindows } from "./windows.ts";

async function beginningToken(model: Model, tokenizer: Tokenizer, choice: TextChoice["bos"]): Promise<number | undefined> {
  if (choice === "off") return undefined;
  if (choice === "auto" || tokenizer.bos !== undefined) return tokenizer.bos;
  const config = (): Promise<string> => model.files.text("config.json");
  const settings = model.kind === "architecture" ? model.settings : (JSON.parse(await config()) as { bos_token_id?: unknown });
  const { bos_token_id: token } = settings;
  if (typeof token === "number" && Number.isInteger(token)) return token;
  throw new BadDataError(`${model.path}: config.json names no bos_token_id, so --bos on cannot be followed`, {
    model: model.path,
  });
}

/** The texts of a corpus in some of its languages. */
export interface CorpusTexts {
  readonly corpus: Corpus;
  readonly languages: readonly string[];
}

/** All windows of texts, as one model reads them. */
async function findWindows(
  model: Model,
  { corpus, languages }: CorpusTexts,
  length: number,
  values: TextChoice,
  context: StageContext,
): Promise<readonly PassageWindow[]> {
  const [tokenizer, passages] = [await model.tokenizer(), await model.passages()];
  const bos = await beginningToken(model, tokenizer, values.bos);
  const { ofPair } = passages;
  const windows: PassageWindow[] = [];
  const answers = values.assistantOnly ? await openChat(model) : undefined;
  try {
    for (const language of languages) {
      const encode = (text: string): Int32Array => tokenizer.encode(text, language);
      const cutter = answers && { cutter: new AnswerCutter(language, model.path, answers, encode, length) };
      const { bySource, windows: limit } = values;
      const cut = { length, bos, bySource, limit, warn: context.warn, chat: chatOf(model), ...cutter };
      const own =
        values.sourceTarget && ofPair !== undefined
          ? sourceTargetWindows(corpus, pairLanguages(language, values), tokenizer, ofPair, cut)
          : textWindows(corpus, language, tokenizer, passages, cut);
      windows.push(...(await own));
    }
  } finally {
    await answers?.close();
  }
  if (windows.length > 0) return windows;
  throw new BadDataError(`no language has text for one window of ${length} tokens; lower --length or add text`, { length });
}

/**
 * How many windows there are of each language, as a model reads them.
 *
 * @param length tokens of a window
 * @param limit most windows of a language that are looked for
 */
export async function countWindows(
  model: Model,
  { corpus, languages }: CorpusTexts,
  { length, limit }: { readonly length: number; readonly limit: number },
): Promise<ReadonlyMap<string, number>> {
  const tokenizer = await model.tokenizer();
  const bos = await beginningToken(model, tokenizer, "auto");
  const cut = { length, bos, bySource: false, limit, warn: () => undefined, chat: chatOf(model) };
  const counts = new Map<string, number>();
  for (const language of languages) counts.set(language, (await cutWindows(corpus, language, tokenizer, cut)).length);
  return counts;
}

const sameTokens = (one: Int32Array, other: Int32Array | undefined): boolean =>
  one.length === other?.length && one.every((token, position) => token === other[position]);

const samePassage = (one: Passage, other: Passage): boolean =>
  one.first === other.first &&
  sameTokens(one.scored, other.scored) &&
  [...one.inputs].every(([stream, tokens]) => sameTokens(tokens, other.inputs.get(stream)));

/** Whether two tokenizers have read a corpus as the same tokens. */
const sameWindows = (some: readonly PassageWindow[], others: readonly PassageWindow[]): boolean =>
  some.length === others.length &&
  some.every(({ language, source, passage }, index) => {
    const other = others[index];
    return other?.language === language && other.source === source && samePassage(passage, other.passage);
  });

/** A model with the windows that it is scored on. */
export interface WindowedModel extends ScoredBy {
  readonly windows: readonly PassageWindow[];
}

/** The windows of the shard that is asked for; all without one. */
export function windowsInShard({ windows }: WindowedModel, { shards }: TextChoice): readonly PassageWindow[] {
  const { start, end } = rangeOfShards(shards ?? { first: 0, count: 1, of: 1 }, windows.length);
  return windows.slice(start, end);
}

/**
 * Models with their windows. Those that read texts as the same tokens have one list: the tokenizer of a GGUF file, say,
 * has another address than the tokenizer.json that it was made of, and gives the same tokens.
 *
 * @throws {BadDataError} where no language has text for a window
 */
export async function withWindows(
  scored: readonly ScoredBy[],
  texts: CorpusTexts,
  length: number,
  values: TextChoice,
  context: StageContext,
): Promise<readonly WindowedModel[]> {
  const lists = new Map<string, readonly PassageWindow[]>();
  const made: WindowedModel[] = [];
  for (const one of scored) {
    // the same tokens of texts, and the same texts of conversations
    const reading = `${one.model.tokenizerAddress} ${await chatAddress(one.model)}`;
    let windows = lists.get(reading);
    if (windows === undefined) {
      const own = await findWindows(one.model, texts, length, values, context);
      windows = [...lists.values()].find((known) => sameWindows(known, own)) ?? own;
      lists.set(reading, windows);
    }
    made.push({ ...one, windows });
  }
  return made;
}
