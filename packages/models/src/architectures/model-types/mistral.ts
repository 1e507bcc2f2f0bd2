import { count, nullable } from "../../config/config-keys.ts";
import { dropout } from "../../config/harmless-keys.ts";
import type { Config } from "../../config/config.ts";
import { defineArchitecture } from "../architecture.ts";
import type { BlockKind } from "../families/gated-block.ts";
import { blockKinds, gatedKeys, hiddenAct, readGated, readSliding } from "../families/gated-config.ts";
import type { GatedValues } from "../families/gated-config.ts";
import { gatedDecoder } from "../families/gated-decoder.ts";

/** Blocks with and without the window: all have it, or those that `layer_types` names. */
export function windowedKinds(config: Config<GatedValues>, kind: Pick<BlockKind, "rotary" | "queryRotary">): BlockKind[] {
  const { sliding_window: window } = config.values;
  if (config.has("layer_types") && window === null) config.refuse("layer_types", "sliding_window is off");
  const sliding = readSliding(config, () => window !== null);
  return blockKinds(sliding, { ...kind, window: window ?? undefined }, { ...kind, window: undefined });
}

/** Every block sees a window only, or those that `layer_types` names, where the configuration has one. @see arXiv:2310.06825 */
export const mistral = defineArchitecture({
  modelType: "mistral",
  keys: {
    ...gatedKeys,
    hidden_act: hiddenAct,
    attention_dropout: dropout,
    intermediate_size: count(14_336),
    num_key_value_heads: nullable(count(8), 8),
    max_position_embeddings: count(131_072),
    sliding_window: nullable(count(4096), 4096),
  },
  layout(config) {
    const decoder = readGated(config, { activation: config.values.hidden_act });
    return gatedDecoder({ ...decoder, kinds: windowedKinds(config, { rotary: decoder.rotary }) });
  },
});
