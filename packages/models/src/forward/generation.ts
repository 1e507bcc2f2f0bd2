import { InterruptedError, UsageError } from "@mbs/contracts";
import type { Model } from "../folder/model.ts";
import { runBlocks } from "./run-blocks.ts";
import { hiddenStream, tokensOf } from "./streams.ts";

/**
 * Greedy continuation of a text by a decoder, or an encoder-decoder's answer to it. The whole text is read again for each
 * token: meant for a sentence, not for serving.
 *
 * @param tokens how many to add at most; fewer where the context is full
 * @returns the continuation alone
 * @param options.signal is looked at between two tokens
 * @throws {UsageError} on a text without a token, where the tokenizer adds none
 */
export async function generate(
  model: Model,
  text: string,
  tokens: number,
  { threads, signal }: { threads: number; signal?: AbortSignal },
): Promise<string> {
  const tokenizer = await model.tokenizer();
  const forward = await model.forward({ threads });
  try {
    const start = [...(tokenizer.bos === undefined ? [] : [tokenizer.bos]), ...tokenizer.encode(text)];
    const { ofPrompt, end } = await model.passages();
    const inputs = new Map(ofPrompt(Int32Array.from(start)));
    const ids = [...tokensOf(inputs, hiddenStream)];
    const given = ids.length;
    if (given === 0) throw new UsageError("the text has no token to continue; give at least a letter");
    const limit = Math.min(given + tokens, model.contextLength ?? Infinity);
    while (ids.length < limit) {
      if (signal?.aborted === true) throw new InterruptedError("generate: stopped");
      inputs.set(hiddenStream, Int32Array.from(ids));
      const states = await runBlocks(model, forward, inputs);
      const last = states.values.subarray((states.rows - 1) * states.columns);
      const { values } = await forward.logits({ rows: 1, columns: states.columns, values: last });
      let [next, largest] = [0, -Infinity];
      for (const [id, value] of values.entries()) if (value > largest) [next, largest] = [id, value];
      if (next === end) break;
      ids.push(next);
    }
    return tokenizer.decode(ids.slice(given));
  } finally {
    await forward.close();
  }
}
