import type { Architecture } from "./architecture.ts";
import { readGated } from "./gated-config.ts";
import { gatedDecoder } from "./gated-decoder.ts";

/** Every block sees a window only, where the configuration has one. @see arXiv:2310.06825 */
export const mistral: Architecture = {
  modelType: "mistral",
  layout(config) {
    const decoder = readGated(config);
    const window = config.optionalCount("sliding_window");
    return gatedDecoder({ ...decoder, kinds: decoder.kinds.map((kind) => ({ ...kind, window })) });
  },
};
