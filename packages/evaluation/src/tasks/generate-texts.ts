import { BadDataError, UsageError, at, type StageContext } from "@mbs/contracts";
import type { Forward, Tokenizer } from "@mbs/models";
import type { ScoredBy } from "../score-windows.ts";
import { createTextEncoder, requirePrefix, type EncodeOptions } from "./encode-texts.ts";
import { predictingStates, runPacks } from "./run-packs.ts";
import type { PackedGroup } from "./run-packs.ts";
import { requireDecoder } from "./score-texts.ts";
import { packTexts } from "./text-packs.ts";

/** Prompts that are continued together. */
const promptsAtATime = 16;

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

/** The part of an answer before any text that ends it; undefined where none does. */
function ended(answer: string, until: readonly string[]): string | undefined {
  const ends = until.flatMap((text) => (text === "" || !answer.includes(text) ? [] : [answer.indexOf(text)]));
  return ends.length === 0 ? undefined : answer.slice(0, Math.min(...ends));
}

/** The most probable next token of each text; of equal ones the first. */
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
  const { values, columns } = await forward.logits(predictingStates(group));
  const refuse = (logit: number, name: string): never => {
    throw new BadDataError(
      `${scored.label}: a logit of ${name} is ${logit}; the weights of its head overflow or are broken: take the model from its source again`,
      { model: scored.label, text: name },
    );
  };
  const next = texts.map(() => 0);
  const rows = packs.flatMap(({ predictions }) => [...predictions.values()]);
  for (const [row, predictions] of rows.entries()) {
    const logits = values.subarray(row * columns, (row + 1) * columns);
    let best = 0;
    for (const [token, logit] of logits.entries()) {
      // not so of NaN either; -Infinity is a token that a model never writes
      if (!(logit < Infinity)) refuse(logit, at(read, at(at(predictions, 0).texts, 0)).name);
      if (logit > at(logits, best)) best = token;
    }
    for (const { texts: own } of predictions) for (const text of own) next[text] = best;
  }
  return next;
}

/**
 * Greedy answers to prompts, as lm-evaluation-harness asks for them: an answer ends before the first of its `until` texts, at
 * the tokenizer's `eos_token`, or with its last token. Of a prompt that leaves no space for its answer the end is kept.
 *
 * All prompts are read again for each token, so that an answer of n tokens costs n times its prompt: what several prompts share,
 * such as examples, is read once for 16 of them. Measured for prompts of about 20 tokens and answers of 16: 0.4 processor
 * seconds a token of an answer with Gemma 3 270m, 8 prompts at a time, the reading of the
 * weights for each token included.
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
  const { threads, signal } = context;
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
  const forward = await model.forward({ threads });
  try {
    const total = prompts.reduce((sum, { maximumTokens }) => sum + maximumTokens, 0);
    let before = 0;
    for (let first = 0; first < prompts.length; first += promptsAtATime) {
      const all = prompts.slice(first, first + promptsAtATime).map(begin);
      for (let open = all; open.length > 0; open = open.filter(({ answer }) => answer === undefined)) {
        const next = await nextTokens(forward, scored, open, signal);
        for (const [index, text] of open.entries()) {
          const token = at(next, index);
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
