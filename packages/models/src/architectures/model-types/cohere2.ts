import { count, integer } from "../../config/config-keys.ts";
import { dropout } from "../../config/harmless-keys.ts";
import { defineArchitecture } from "../architecture.ts";
import { still } from "../families/gated-block.ts";
import { blockKinds, readSliding, requireWindow } from "../families/gated-config.ts";
import { gatedDecoder } from "../families/gated-decoder.ts";
import { cohereKeys, readCohere } from "./cohere.ts";

/** Command R7B, Command A and Tiny Aya: blocks with a window and rotary positions, every fourth with neither. @see arXiv:2504.00698 */
export const cohere2 = defineArchitecture({
  modelType: "cohere2",
  keys: {
    ...cohereKeys,
    attention_dropout: dropout,
    sliding_window: count(4096),
    // of older configurations, in place of `layer_types`
    sliding_window_pattern: integer(4),
  },
  layout(config) {
    const { sliding_window_pattern: period } = config.values;
    if (period < 1) config.broken("sliding_window_pattern", "at least 1");
    const sliding = readSliding(config, (index) => (index + 1) % period !== 0);
    const window = requireWindow(config, sliding);
    const decoder = readCohere(config);
    return gatedDecoder({
      ...decoder,
      kinds: blockKinds(sliding, { rotary: decoder.rotary, window }, { rotary: still, window: undefined }),
    });
  },
});
