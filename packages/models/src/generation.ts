import type { Model } from "./model.ts";

/**
 * Greedy continuation of a text. The whole text runs again for each token: meant for a sentence, not for serving.
 *
 * @param tokens how many to add at most; fewer where the context is full
 * @returns the continuation alone
 */
export async function generate(model: Model, text: string, tokens: number, options: { threads: number }): Promise<string> {
  const tokenizer = await model.tokenizer();
  const forward = await model.forward(options);
  try {
    const start = [...(tokenizer.bos === undefined ? [] : [tokenizer.bos]), ...tokenizer.encode(text)];
    const ids = [...start];
    const limit = Math.min(start.length + tokens, model.contextLength ?? Infinity);
    while (ids.length < limit) {
      let states = await forward.embed(Int32Array.from(ids));
      for (const index of model.steps.keys()) states = (await forward.step(index, states)).states ?? states;
      const last = states.values.subarray((states.rows - 1) * states.columns);
      const { values } = await forward.logits({ rows: 1, columns: states.columns, values: last });
      ids.push(values.reduce((best, value, id) => (value > (values[best] ?? -Infinity) ? id : best), 0));
    }
    return tokenizer.decode(ids.slice(start.length));
  } finally {
    await forward.close();
  }
}
