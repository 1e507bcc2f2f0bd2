import { count, nullable } from "../../config/config-keys.ts";
import { dropout } from "../../config/harmless-keys.ts";
import { defineArchitecture } from "../architecture.ts";
import { blockKinds, gatedKeys, hiddenAct, readGated, readSliding } from "../families/gated-config.ts";
import { gatedDecoder } from "../families/gated-decoder.ts";

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
    const { hidden_act: activation, sliding_window: window } = config.values;
    const decoder = readGated(config, { activation });
    const { rotary } = decoder;
    if (config.has("layer_types") && window === null) config.refuse("layer_types", "sliding_window is off");
    const sliding = readSliding(config, () => window !== null);
    const kinds = blockKinds(sliding, { rotary, window: window ?? undefined }, { rotary, window: undefined });
    return gatedDecoder({ ...decoder, kinds });
  },
});
