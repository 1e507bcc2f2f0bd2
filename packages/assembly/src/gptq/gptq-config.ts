import { InternalError } from "@mbs/contracts";
import type { GroupGrid } from "@mbs/contracts";
import { isSymmetric } from "../layers/layer-grid.ts";
import type { GridClass } from "../layers/quantised-layer.ts";
import { innerModule, moduleOf, modulePattern } from "../safetensors/module-names.ts";

/** -1 where one group spans the row, whatever its width. */
const groupSizeOf = ({ groupSize }: GroupGrid): number => (groupSize === 0 ? -1 : groupSize);

/** Names of a class's layers as keys of `dynamic`, "+:" for other settings and "-:" for layers that stay as they are. */
const overrides = ({ grid, layers }: GridClass): [string, object][] =>
  layers.map(({ tensor }) => [
    `+:${modulePattern(moduleOf(tensor, "GPTQ"))}`,
    { bits: grid.bits, group_size: groupSizeOf(grid), sym: isSymmetric(grid) },
  ]);

/** What a configuration says beside the grids of layers. */
interface GptqFacts {
  /** Tensors that are stored dense, of those of blocks that solvers change. */
  readonly unchanged: readonly string[];
  /** Regular expressions for the layers of modules beside the language model. */
  readonly carried: readonly string[];
  /** Whether blocks have linear layers that are stored dense, routers and gates included. */
  readonly hasDense: boolean;
  /** Of the format: whether files hold zero points less one (1) or as they are (2). */
  readonly version: 1 | 2;
  /** Who wrote it, for `meta.quantizer`. */
  readonly producer: string;
  /** The head's tensor, where it is packed. */
  readonly head?: string;
}

/**
 * What quantize_config.json and `quantization_config` say. Layers that differ from the most are named in `dynamic`, as
 * gptqmodel and vLLM read it.
 */
export function gptqConfig(
  [base, ...others]: readonly GridClass[],
  { unchanged, carried, hasDense, version, producer, head }: GptqFacts,
): object {
  if (base === undefined) throw new InternalError("GPTQ's files hold at least one quantised layer");
  const dynamic = Object.fromEntries([
    ...others.flatMap(overrides),
    ...[...unchanged.map((tensor) => modulePattern(moduleOf(tensor, "GPTQ"))), ...carried].map((pattern) => [`-:${pattern}`, {}]),
  ]);
  const layers = [base, ...others].flatMap((own) => own.layers);
  return {
    bits: base.grid.bits,
    group_size: groupSizeOf(base.grid),
    desc_act: layers.some(({ reordered }) => reordered),
    sym: isSymmetric(base.grid),
    lm_head: head !== undefined,
    quant_method: "gptq",
    checkpoint_format: version === 1 ? "gptq" : "gptq_v2",
    pack_dtype: "int32",
    ...(Object.keys(dynamic).length > 0 && { dynamic }),
    // transformers reads this in place of `dynamic`, and takes all layers for packed without it
    ...(hasDense && {
      modules_in_block_to_quantize: [
        layers.filter(({ tensor }) => tensor !== head).map(({ tensor }) => innerModule(moduleOf(tensor, "GPTQ"))),
      ],
    }),
    meta: { quantizer: [producer] },
  };
}
