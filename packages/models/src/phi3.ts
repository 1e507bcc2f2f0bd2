import type { Architecture } from "./architecture.ts";
import { readGated } from "./gated-config.ts";
import { gatedDecoder } from "./gated-decoder.ts";

/** Query, key and value in one matrix, gate and up in another; a window in every block. @see arXiv:2404.14219 */
export const phi3: Architecture = {
  modelType: "phi3",
  layout(config) {
    const decoder = readGated(config, { rope: { context: 4096 } });
    const window = config.optionalCount("sliding_window");
    return gatedDecoder({ ...decoder, fused: true, kinds: decoder.kinds.map((kind) => ({ ...kind, window })) });
  },
};
