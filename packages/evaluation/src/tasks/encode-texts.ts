import { BadDataError, FailedPreconditionError } from "@mbs/contracts";
import type { SpecialToken, Tokenizer } from "@mbs/models";
import { stripEnd } from "@mbs/tasks";
import type { ScoredText } from "@mbs/tasks";

/** A text to be scored, with a name for messages: "arc_hi document 3, choice 2". */
export interface NamedText extends ScoredText {
  readonly name: string;
}

/** A text as a model reads it. */
export interface EncodedText {
  readonly name: string;
  /** Context, then continuation: at least one token of each. */
  readonly tokens: Int32Array;
  /** How many of them, at the end, are the continuation, whose log-likelihood is wanted. */
  readonly predicted: number;
  /** Tokens that were cut from the beginning, because the model does not read texts so long. */
  readonly cut: number;
}

export interface EncodeOptions {
  /** Most tokens that the model reads; the last token of a text is predicted, but not read. */
  readonly contextLength: number;
  /** What is done with a longer text: its beginning is cut off, as lm-evaluation-harness does, or it is refused. */
  readonly longTexts: "cut" | "refuse";
}

/** The token before a text that has none before it. @throws {FailedPreconditionError} where the tokenizer names none */
export function requirePrefix({ prefix }: Tokenizer, name: string): SpecialToken {
  if (prefix !== undefined) return prefix;
  throw new FailedPreconditionError(
    `${name} has no context, and the model's tokenizer_config.json names no bos_token or eos_token to predict it from; add "bos_token" there`,
    { text: name },
  );
}

/** Encodes texts as lm-evaluation-harness does: with the token that the tokenizer puts first, unless the text begins with it. */
export function createTextEncoder(tokenizer: Tokenizer): (text: string, name: string) => Int32Array {
  const { bos, prefix } = tokenizer;
  return (text, name) => {
    const plain = tokenizer.encode(text, name);
    if (bos === undefined || (prefix !== undefined && text.startsWith(prefix.text))) return plain;
    return Int32Array.from([bos, ...plain]);
  };
}

/**
 * Splits texts into tokens as `HFLM` of lm-evaluation-harness 0.4.13 does by default:
 *
 * - White space at the end of a context belongs to the continuation.
 * - Context and continuation are encoded together, and the tokens after as many as the context has by itself are the
 *   continuation. It is read after the tokens of the context by itself: of a token that spans both, the model reads the part
 *   that is the context's.
 * - A token that the tokenizer's post-processor puts first (Gemma, Llama) stands before every context that does not begin with
 *   the text of the beginning token; one that it puts last is left out.
 * - Without a context, the tokenizer's `bos_token`, or else `eos_token`, takes its place; where the continuation begins with
 *   that token, it is the context itself. A context of white space alone is none.
 * - Of a text that is longer than the model reads, the end is kept.
 *
 * @returns the texts in their order
 * @throws {BadDataError} naming a text whose continuation has no token, or more than the model reads; with `refuse` a text that
 * is longer than the model reads
 * @throws {FailedPreconditionError} where a text has no context, and the tokenizer no token to predict it from
 * @see `TemplateLM._encode_pair` and `loglikelihood` of lm_eval/api/model.py
 */
export function encodeTexts(
  texts: readonly NamedText[],
  tokenizer: Tokenizer,
  { contextLength, longTexts }: EncodeOptions,
): readonly EncodedText[] {
  const encode = createTextEncoder(tokenizer);
  let last: { context: string; tokens: Int32Array } = { context: "", tokens: new Int32Array() };
  /** The choices of a question have one context: it is encoded once. */
  const contextTokens = (context: string, name: string): Int32Array => {
    if (last.context !== context) last = { context, tokens: encode(context, name) };
    return last.tokens;
  };
  const split = ({ name, context: given, continuation: wanted }: NamedText): { tokens: Int32Array; context: number } => {
    const context = stripEnd(given);
    const continuation = given.slice(context.length) + wanted;
    if (context !== "") {
      const own = contextTokens(context, name);
      const rest = encode(context + continuation, name).subarray(own.length);
      return { tokens: Int32Array.from([...own, ...rest]), context: own.length };
    }
    const prefix = requirePrefix(tokenizer, name);
    const tokens = tokenizer.encode(continuation, name);
    return { tokens: tokens[0] === prefix.id ? tokens : Int32Array.from([prefix.id, ...tokens]), context: 1 };
  };
  return texts.map((text): EncodedText => {
    const { name } = text;
    const { tokens, context } = split(text);
    const predicted = tokens.length - context;
    if (predicted < 1) {
      throw new BadDataError(
        `${name}: the continuation ${JSON.stringify(text.continuation)} adds no token to its context; correct the task's choices`,
        { text: name },
      );
    }
    const cut = Math.max(0, tokens.length - contextLength - 1);
    if (predicted > contextLength || (cut > 0 && longTexts === "refuse")) {
      const what =
        predicted > contextLength ? `the continuation has ${predicted} tokens` : `the text has ${tokens.length} tokens`;
      throw new BadDataError(
        `${name}: ${what}, and the model reads ${contextLength} and predicts one more; take fewer examples, or leave the document out`,
        { text: name, tokens: tokens.length, contextLength },
      );
    }
    return { name, tokens: tokens.subarray(cut), predicted, cut };
  });
}
