import { at } from "@mbs/contracts";
import { AutoModelForCausalLM, AutoTokenizer, env } from "@huggingface/transformers";
import type { PreTrainedModel, PreTrainedTokenizer, Tensor } from "@huggingface/transformers";
import { turnTelemetryOff } from "@mbs/onnx";
import type { Prompt } from "./prompts.ts";

/** What one model made of all prompts. */
export interface Generated {
  readonly name: string;
  /** Continuations, in the order of the prompts. */
  readonly texts: readonly string[];
  readonly tokensPerSecond: number;
}

/** How texts are continued, here and in the page. A small model runs in circles, so no eight tokens may come twice. */
export const generation = { max_new_tokens: 24, do_sample: false, no_repeat_ngram_size: 8 } as const;

/** A text that ends within a character ends before it. */
const wholeCharacters = (text: string): string => text.replace(/\uFFFD+$/, "");

/**
 * Continues the prompts greedily with transformers.js in this process, offline.
 *
 * @param models folder that holds the model's folder
 */
export async function generateInNode(models: string, name: string, prompts: readonly Prompt[]): Promise<Generated> {
  // transformers.js makes sessions of its own
  turnTelemetryOff();
  env.allowRemoteModels = false;
  env.localModelPath = models;
  const tokenizer: PreTrainedTokenizer = await AutoTokenizer.from_pretrained(name);
  const model: PreTrainedModel = await AutoModelForCausalLM.from_pretrained(name);
  const continueText = async (text: string): Promise<{ text: string; tokens: number }> => {
    const inputs = tokenizer(text) as { input_ids: Tensor; attention_mask: Tensor };
    const outputs = (await model.generate({ ...inputs, ...generation })) as Tensor;
    const added = outputs.slice(null, [at(inputs.input_ids.dims, 1), at(outputs.dims, 1)]);
    const [continued = ""] = tokenizer.batch_decode(added, { skip_special_tokens: true });
    return { text: wholeCharacters(continued), tokens: added.dims[1] ?? 0 };
  };
  const texts = [];
  for (const { text } of prompts) texts.push((await continueText(text)).text);
  // a second round is timed: the first pays for what is made once
  const started = performance.now();
  let tokens = 0;
  for (const { text } of prompts) tokens += (await continueText(text)).tokens;
  const seconds = (performance.now() - started) / 1000;
  await model.dispose();
  return { name, texts, tokensPerSecond: tokens / seconds };
}
