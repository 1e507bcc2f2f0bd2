import { AutoModelForCausalLM, AutoTokenizer, env } from "@huggingface/transformers";
import type { PreTrainedModel, PreTrainedTokenizer, Tensor } from "@huggingface/transformers";
import type { Prompt } from "./prompts.ts";

/** What one model made of all prompts. */
export interface Generated {
  readonly name: string;
  /** Continuations, in the order of the prompts. */
  readonly texts: readonly string[];
  readonly tokensPerSecond: number;
}

/** Tokens of each continuation; the page uses the same number. */
export const newTokens = 24;

/**
 * Continues the prompts greedily with transformers.js in this process, offline.
 *
 * @param models folder that holds the model's folder
 */
export async function generateInNode(models: string, name: string, prompts: readonly Prompt[]): Promise<Generated> {
  env.allowRemoteModels = false;
  env.localModelPath = models;
  const tokenizer: PreTrainedTokenizer = await AutoTokenizer.from_pretrained(name);
  const model: PreTrainedModel = await AutoModelForCausalLM.from_pretrained(name);
  const continueText = async (text: string): Promise<{ text: string; tokens: number }> => {
    const inputs = tokenizer(text) as { input_ids: Tensor; attention_mask: Tensor };
    const outputs = (await model.generate({ ...inputs, max_new_tokens: newTokens, do_sample: false })) as Tensor;
    const added = outputs.slice(null, [inputs.input_ids.dims[1], outputs.dims[1]]);
    return { text: tokenizer.batch_decode(added, { skip_special_tokens: true })[0] ?? "", tokens: added.dims[1] ?? 0 };
  };
  // the first call pays for what is made once
  await continueText(prompts[0]?.text ?? "");
  const started = performance.now();
  const results = [];
  for (const { text } of prompts) results.push(await continueText(text));
  const seconds = (performance.now() - started) / 1000;
  await model.dispose();
  const tokens = results.reduce((sum, result) => sum + result.tokens, 0);
  return { name, texts: results.map(({ text }) => text), tokensPerSecond: tokens / seconds };
}
