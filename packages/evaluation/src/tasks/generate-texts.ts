import { BadDataError, InterruptedError, UsageError, at, type Matrix, type StageContext } from "@mbs/contracts";
import { commonPrefix, likeliestTokens, requireToken, weightsForWriting } from "@mbs/models";
import type { Forward, Tokenizer, TreeForward } from "@mbs/models";
import type { ScoredBy } from "../run-windows.ts";
import { createTextEncoder, requirePrefix, type EncodeOptions } from "./encode-texts.ts";
import { GrowingTexts } from "./growing-texts.ts";
import { predictingStates, runPacks } from "./run-packs.ts";
import type { PackedGroup } from "./run-packs.ts";
import { requireDecoder } from "./score-texts.ts";
import { packTexts } from "./text-packs.ts";

/**
 * Prompts that are continued together, since each token of an answer reads all weights, and the tokens that they may have with
 * their answers: attention is over all of them.
 */
const promptsAtATime = 32;
const tokensAtATime = 4096;

/** A text to be continued. */
export interface Prompt {
  /** For messages: "mgsm_bn document 3". */
  readonly name: string;
  readonly context: string;
  /** Texts that end the answer, and are no part of it. */
  readonly until: readonly string[];
  readonly maximumTokens: number;
}

/** What a model wrote. */
export interface GeneratedText {
  readonly text: string;
  /** Tokens of the prompt that were cut from its beginning, to leave space for the answer. */
  readonly cut: number;
}

/** A prompt while it is continued. */
interface Continued {
  readonly prompt: Prompt;
  /** What is read: the prompt, as far as there is space for it, and the answer so far. */
  readonly ids: number[];
  /** Tokens of the prompt that are read. */
  readonly given: number;
  /** Tokens of the prompt that were cut from its beginning. */
  readonly cut: number;
  /** Set where the answer has ended. */
  answer?: string;
}

/** The tree in which texts of up to `most` tokens go on together, where the model has one and they stay of one kind. */
function treeFor({ tree }: Forward, most: number): TreeForward | undefined {
  return tree?.longTexts !== undefined && most > tree.longTexts ? undefined : tree;
}

/** Tokens that a prompt and its answer may have. */
const sizeOf = ({ given, prompt }: Continued): number => given + prompt.maximumTokens;

/** Prompts that are continued together: as many as there is space for, at least one. */
function* groupsOf(
  forward: Forward,
  prompts: readonly Prompt[],
  begin: (prompt: Prompt) => Continued,
): Generator<readonly Continued[]> {
  let group: Continued[] = [];
  let tokens = 0;
  for (const prompt of prompts) {
    const own = begin(prompt);
    const size = sizeOf(own);
    const before = group.at(-1);
    // in a tree, what it has in common with the one before is read once
    const inTree = treeFor(forward, Math.max(size, ...group.map(sizeOf))) !== undefined;
    const shared = before !== undefined && inTree ? commonPrefix(Int32Array.from(before.ids), Int32Array.from(own.ids)) : 0;
    if (group.length === promptsAtATime || (group.length > 0 && tokens + size - shared > tokensAtATime)) {
      yield group;
      group = [own];
      tokens = size;
      continue;
    }
    group.push(own);
    tokens += size - shared;
  }
  if (group.length > 0) yield group;
}

/** The part of an answer before any text that ends it; undefined where none does. */
function ended(answer: string, until: readonly string[]): string | undefined {
  const ends = until.flatMap((text) => (text === "" || !answer.includes(text) ? [] : [answer.indexOf(text)]));
  return ends.length === 0 ? undefined : answer.slice(0, Math.min(...ends));
}

/** The most probable token after each row of states. @param names of the texts of the rows */
async function likeliest(
  forward: Forward,
  { label, model }: ScoredBy,
  states: Matrix,
  names: readonly string[],
): Promise<readonly number[]> {
  const found = await likeliestTokens(forward, states, model.vocabularySize);
  return found.map((token, row) => requireToken(token, { model: label, text: at(names, row) }));
}

/** What finds the next token of texts: of those that are still open, by their numbers. */
type NextTokens = (open: readonly number[]) => Promise<readonly number[]>;

/** In a tree that grows, where the model has one and its texts stay of one kind. */
function inTree(forward: Forward, scored: ScoredBy, texts: readonly Continued[]): NextTokens | undefined {
  const tree = treeFor(forward, Math.max(...texts.map(sizeOf)));
  if (tree === undefined) return undefined;
  const growing = new GrowingTexts(
    tree,
    scored,
    texts.map(({ prompt, ids }) => ({ name: prompt.name, tokens: Int32Array.from(ids) })),
  );
  const read = texts.map(({ ids }) => ids.length);
  return async (open) => {
    for (const text of open) {
      const { ids } = at(texts, text);
      for (const token of ids.slice(at(read, text))) growing.add(text, token);
      read[text] = ids.length;
    }
    return likeliest(
      forward,
      scored,
      await growing.read(open),
      open.map((text) => at(texts, text).prompt.name),
    );
  };
}

/** By reading all texts again. */
const readAgain =
  (forward: Forward, scored: ScoredBy, texts: readonly Continued[], signal: AbortSignal): NextTokens =>
  (open) =>
    nextTokens(
      forward,
      scored,
      open.map((text) => at(texts, text)),
      signal,
    );

/** The most probable next token of each text, all of which are read as a whole. */
async function nextTokens(
  forward: Forward,
  scored: ScoredBy,
  texts: readonly Continued[],
  signal: AbortSignal,
): Promise<readonly number[]> {
  // packs are made for texts whose last token is predicted, not read
  const read = texts.map(({ prompt, ids }) => ({
    name: prompt.name,
    tokens: Int32Array.from([...ids, 0]),
    predicted: 1,
    cut: 0,
  }));
  const packs = [...packTexts(read, { hiddenSize: scored.model.hiddenSize, trees: forward.tree })];
  const group: PackedGroup = { texts: read, packs, ended: [] };
  await runPacks(
    forward,
    scored,
    packs.map((pack) => ({ group, pack })),
    { signal, report: () => undefined },
  );
  const rows = packs.flatMap(({ predictions }) => [...predictions.values()]);
  const names = rows.map((predictions) => at(read, at(at(predictions, 0).texts, 0)).name);
  const best = await likeliest(forward, scored, predictingStates(group), names);
  const next = texts.map(() => 0);
  for (const [row, predictions] of rows.entries()) {
    for (const { texts: own } of predictions) for (const text of own) next[text] = at(best, row);
  }
  return next;
}

/**
 * Greedy answers to prompts, as lm-evaluation-harness asks for them: an answer ends before the first of its `until` texts, at
 * the tokenizer's `eos_token`, or with its last token. Of a prompt that leaves no space for its answer the end is kept.
 *
 * What several prompts share, such as examples, is read once for 32 of them, and each token once. An ONNX model, one with
 * linear attention, and texts whose positions change with their length, read all prompts again for each token.
 *
 * @returns the answers, in the order of the prompts
 * @throws {UsageError} where an answer may be as long as all that the model reads
 * @throws {FailedPreconditionError} where the model is no decoder, or an empty prompt has no token to be continued from
 * @throws {BadDataError} naming model, block and prompt where states are not finite, or logits NaN or Infinity; with `refuse`
 * on a prompt that is too long
 */
export async function* generateTexts(
  scored: ScoredBy,
  prompts: readonly Prompt[],
  { tokenizer, contextLength, longTexts }: EncodeOptions & { readonly tokenizer: Tokenizer },
  context: StageContext,
): AsyncGenerator<GeneratedText, void, undefined> {
  const { model, label } = scored;
  const { threads, device, signal } = context;
  requireDecoder(scored);
  const encode = createTextEncoder(tokenizer);
  const begin = (prompt: Prompt): Continued => {
    const space = contextLength - prompt.maximumTokens;
    if (space < 1) {
      throw new UsageError(
        `${prompt.name}: an answer of ${prompt.maximumTokens} tokens leaves no space for its prompt, as the model reads ${contextLength}; take fewer by --answer-tokens`,
        { text: prompt.name },
      );
    }
    const encoded = encode(prompt.context, prompt.name);
    const cut = Math.max(0, encoded.length - space);
    if (cut > 0 && longTexts === "refuse") {
      throw new BadDataError(
        `${prompt.name}: the prompt has ${encoded.length} tokens, and the model reads ${contextLength}, an answer of ${prompt.maximumTokens} among them; take fewer examples, or leave the document out`,
        { text: prompt.name },
      );
    }
    const ids = encoded.length === 0 ? [requirePrefix(tokenizer, prompt.name).id] : [...encoded.subarray(cut)];
    return { prompt, ids, given: ids.length, cut };
  };
  const forward = await model.forward({ threads, device, ...weightsForWriting(model) });
  try {
    const total = prompts.reduce((sum, { maximumTokens }) => sum + maximumTokens, 0);
    let before = 0;
    for (const all of groupsOf(forward, prompts, begin)) {
      const nextOf = inTree(forward, scored, all) ?? readAgain(forward, scored, all, signal);
      const isOpen = (text: number): boolean => at(all, text).answer === undefined;
      for (let open = [...all.keys()]; open.length > 0; open = open.filter(isOpen)) {
        if (signal.aborted) throw new InterruptedError("evaluate: stopped");
        const next = await nextOf(open);
        for (const [index, number] of open.entries()) {
          const token = at(next, index);
          const text = at(all, number);
          const { ids, given, prompt } = text;
          if (token !== tokenizer.eos?.id) ids.push(token);
          const answer = tokenizer.decode(ids.slice(given));
          const isLast = token === tokenizer.eos?.id || ids.length - given >= prompt.maximumTokens;
          const whole = ended(answer, prompt.until) ?? (isLast ? answer : undefined);
          if (whole !== undefined) text.answer = whole;
        }
        const tokens = all.map(({ answer, ids, given, prompt }) =>
          answer === undefined ? ids.length - given : prompt.maximumTokens,
        );
        const done = before + tokens.reduce((sum, count) => sum + count, 0);
        context.progress({ activity: `answer ${label}`, done, total, unit: "tokens at most" });
      }
      before += all.reduce((sum, { prompt }) => sum + prompt.maximumTokens, 0);
      for (const { answer, cut } of all) if (answer !== undefined) yield { text: answer, cut };
    }
  } finally {
    await forward.close();
  }
}
