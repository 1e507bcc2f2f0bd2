import type { Architecture } from "./architecture.ts";
import type { ConfigReader } from "./config.ts";
import { blockKinds, readGated, readSliding } from "./gated-config.ts";
import { gatedDecoder } from "./gated-decoder.ts";
import type { GatedDecoder } from "./gated-decoder.ts";

/**
 * What Qwen 2 and 3 have in common: some blocks may see a window only.
 *
 * @param slides whether a block does where the configuration has no `layer_types`; `dense` is its `max_window_layers`
 */
export function readQwen(
  config: ConfigReader,
  slides: (index: number, dense: number) => boolean = (index, dense) => index >= dense,
): GatedDecoder {
  const decoder = readGated(config);
  const window = config.flag("use_sliding_window", false) ? config.optionalCount("sliding_window") : undefined;
  if (window === undefined) return decoder;
  const dense = config.number("max_window_layers", 28);
  const { blocks, rotary } = decoder;
  const sliding = readSliding(config, blocks, (index) => slides(index, dense));
  return { ...decoder, kinds: blockKinds(sliding, { rotary, window }, { rotary, window: undefined }) };
}

/** @see arXiv:2407.10671 */
export const qwen2: Architecture = {
  modelType: "qwen2",
  layout: (config) => gatedDecoder({ ...readQwen(config), bias: { qkv: true, output: false, mlp: false } }),
};
