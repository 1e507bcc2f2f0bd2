import { count, derivedCount, flag, integer, nullable } from "../../config/config-keys.ts";
import type { ValuesOf } from "../../config/config-keys.ts";
import type { Config } from "../../config/config.ts";
import { dropout } from "../../config/harmless-keys.ts";
import type { ActivationName } from "../../graph/activations.ts";
import { defineArchitecture } from "../architecture.ts";
import type { GatedDecoder } from "../families/gated-block.ts";
import { blockKinds, gatedKeys, hiddenAct, readGated, readSliding } from "../families/gated-config.ts";
import { gatedDecoder } from "../families/gated-decoder.ts";

/** Keys that Qwen 2 and 3 have in common. */
export const qwenKeys = {
  ...gatedKeys,
  hidden_act: hiddenAct,
  head_dim: derivedCount,
  attention_dropout: dropout,
  vocab_size: count(151_936),
  intermediate_size: count(22_016),
  num_key_value_heads: nullable(count(32), 32),
  max_position_embeddings: count(32_768),
  use_sliding_window: flag(false),
  // transformers saves 0 for Qwen 2 with experts where no block has a window
  sliding_window: nullable(integer(4096), 4096),
  max_window_layers: integer(28),
} as const;

interface QwenOptions {
  readonly activation: ActivationName;
  /** Whether a block sees a window where the configuration has no `layer_types`; `dense` is its `max_window_layers`. */
  readonly slides?: (index: number, dense: number) => boolean;
}

/** What Qwen 2 and 3 have in common: some blocks may see a window only. */
export function readQwen(config: Config<ValuesOf<typeof qwenKeys>>, options: QwenOptions): GatedDecoder {
  const { slides = (index, dense) => index >= dense } = options;
  const decoder = readGated(config, options);
  const { use_sliding_window: used, sliding_window, max_window_layers: dense } = config.values;
  const window = used ? (sliding_window ?? undefined) : undefined;
  if (window !== undefined && window < 1) config.broken("sliding_window", "at least 1");
  const sliding = readSliding(config, (index) => window !== undefined && slides(index, dense));
  if (window === undefined && sliding.includes(true)) config.refuse("layer_types", "sliding_window is off");
  const { rotary } = decoder;
  if (window === undefined) return decoder;
  return { ...decoder, kinds: blockKinds(sliding, { rotary, window }, { rotary, window: undefined }) };
}

/** @see arXiv:2407.10671 */
export const qwen2 = defineArchitecture({
  modelType: "qwen2",
  keys: qwenKeys,
  layout(config) {
    const { hidden_act: activation } = config.values;
    return gatedDecoder({ ...readQwen(config, { activation }), bias: { qkv: true, output: false, mlp: false } });
  },
});
