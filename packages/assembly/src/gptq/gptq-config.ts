import { InternalError } from "@mbs/contracts";
import type { GridClass } from "../layers/grid-classes.ts";
import { moduleOf, modulePattern } from "../safetensors/module-names.ts";

/** Names of a class's layers as keys of `dynamic`, "+:" for other settings and "-:" for layers that stay as they are. */
const overrides = (grid: GridClass): [string, object][] =>
  grid.layers.map(({ tensor }) => [
    `+:${modulePattern(moduleOf(tensor, "GPTQ"))}`,
    { bits: grid.bits, group_size: grid.groupSize, sym: grid.symmetric },
  ]);

/**
 * What quantize_config.json and `quantization_config` say. Layers that differ from the most are named in `dynamic`, as
 * gptqmodel and vLLM read it.
 *
 * @param unchanged tensors that are stored dense, of those that solvers change
 * @param hasDense whether blocks have linear layers that are stored dense, routers and gates included
 * @param version of the format: whether files hold zero points less one (1) or as they are (2)
 * @param producer who wrote it, for `meta.quantizer`
 */
export function gptqConfig(
  [base, ...others]: readonly GridClass[],
  unchanged: readonly string[],
  hasDense: boolean,
  version: 1 | 2,
  producer: string,
): object {
  if (base === undefined) throw new InternalError("GPTQ's files hold at least one quantised layer");
  const dynamic = Object.fromEntries([
    ...others.flatMap(overrides),
    ...unchanged.map((tensor) => [`-:${modulePattern(moduleOf(tensor, "GPTQ"))}`, {}]),
  ]);
  const layers = [base, ...others].flatMap((grid) => grid.layers);
  return {
    bits: base.bits,
    group_size: base.groupSize,
    desc_act: layers.some(({ reordered }) => reordered),
    sym: base.symmetric,
    lm_head: false,
    quant_method: "gptq",
    checkpoint_format: version === 1 ? "gptq" : "gptq_v2",
    pack_dtype: "int32",
    ...(Object.keys(dynamic).length > 0 && { dynamic }),
    // transformers reads this in place of `dynamic`, and takes all layers for packed without it
    ...(hasDense && { modules_in_block_to_quantize: [layers.map(({ tensor }) => moduleOf(tensor, "GPTQ"))] }),
    meta: { quantizer: [producer] },
  };
}
