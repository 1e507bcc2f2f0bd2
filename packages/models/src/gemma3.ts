import type { Architecture } from "./architecture.ts";
import { blockKinds, readSliding } from "./gated-config.ts";
import { gatedDecoder } from "./gated-decoder.ts";
import { readGemma } from "./gemma2.ts";
import { readRotary } from "./rope-scaling.ts";

/** The text model of Gemma 3: local blocks with a window and positions of their own, then a global one. @see arXiv:2503.19786 */
export const gemma3: Architecture = {
  modelType: "gemma3_text",
  layout(config) {
    if (config.has("attn_logit_softcapping")) config.refuse("attn_logit_softcapping", "leave it out: transformers ignores it");
    const decoder = readGemma(config, { kind: "full_attention", theta: 1_000_000 });
    const { blocks, rotary, headSize } = decoder;
    const local = readRotary(config, { headSize, kind: "sliding_attention", thetaKey: "rope_local_base_freq", scaled: false });
    const period = config.optionalCount("sliding_window_pattern") ?? 6;
    const sliding = readSliding(config, blocks, (index) => (index + 1) % period !== 0);
    const window = config.optionalCount("sliding_window");
    return gatedDecoder({
      ...decoder,
      headNorms: true,
      kinds: blockKinds(sliding, { rotary: local, window }, { rotary, window: undefined }),
    });
  },
};
