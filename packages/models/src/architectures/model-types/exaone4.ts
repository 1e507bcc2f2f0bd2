import { count, derivedCount, nullable, positive } from "../../config/config-keys.ts";
import type { Key } from "../../config/config-keys.ts";
import { dropout } from "../../config/harmless-keys.ts";
import { defineArchitecture } from "../architecture.ts";
import { normsAfter, still, usualHeadNorms } from "../families/gated-block.ts";
import { blockKinds, gatedKeys, hiddenAct, readGated, readSliding, requireWindow } from "../families/gated-config.ts";
import { gatedDecoder } from "../families/gated-decoder.ts";

/** Every how many blocks one sees the whole text; also letters, which nothing reads beside `layer_types`. */
const pattern: Key<number | string> = {
  fallback: 4,
  read(value, fault) {
    if (typeof value === "string" || (typeof value === "number" && Number.isSafeInteger(value))) return value;
    return fault.broken("a whole number or a string");
  },
};

/** EXAONE 4: norms after attention and MLP; where there are windows, only blocks with one have positions. @see arXiv:2507.11407 */
export const exaone4 = defineArchitecture({
  modelType: "exaone4",
  keys: {
    ...gatedKeys,
    hidden_act: hiddenAct,
    head_dim: derivedCount,
    attention_dropout: dropout,
    vocab_size: count(102_400),
    intermediate_size: count(16_384),
    num_key_value_heads: count(32),
    rms_norm_eps: positive(1e-5),
    sliding_window: nullable(count(4096), 4096),
    sliding_window_pattern: nullable(pattern, 4),
  },
  layout(config) {
    const { hidden_act: activation, layer_types: types, sliding_window: window, sliding_window_pattern: period } = config.values;
    if (types === null && (window === null || typeof period !== "number" || period === 0)) {
      config.broken("layer_types", "a list, unless there are a sliding_window and a number as sliding_window_pattern");
    }
    const sliding = readSliding(config, (index) => (index + 1) % Number(period) !== 0);
    requireWindow(config, sliding);
    const decoder = readGated(config, { activation });
    const { rotary } = decoder;
    return gatedDecoder({
      ...decoder,
      norms: normsAfter,
      headNorms: usualHeadNorms,
      ...(window !== null && { kinds: blockKinds(sliding, { rotary, window }, { rotary: still, window: undefined }) }),
    });
  },
});
