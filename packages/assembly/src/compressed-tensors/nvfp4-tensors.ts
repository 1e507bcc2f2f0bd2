import { InternalError } from "@mbs/contracts";
import { nvfp4Scales } from "@mbs/gguf";
import type { ArchitectureModel } from "@mbs/models";
import { decodeE4m3, encodeE4m3 } from "@mbs/numbers";
import type { ScratchLayers } from "../layers/scratch-layers.ts";
import { blocksOf, type LayerBlocks, type PackedBlocks } from "./layer-blocks.ts";

const type = "NVFP4";
const groupSize = 16;
/** Of a block: a scale in bf16 and two codes a byte, the first of two neighbours in the low half. */
const scaleBytes = 2;

/** The scales of a layer's blocks, and the codes, [rows, columns / 2]. */
function splitBlocks({ count, bytes, read }: LayerBlocks): { readonly scales: Float32Array; readonly pairs: Uint8Array } {
  const blocks = read();
  const pairs = new Uint8Array(count * (bytes - scaleBytes));
  for (let block = 0; block < count; block += 1) {
    const start = block * bytes;
    pairs.set(blocks.subarray(start + scaleBytes, start + bytes), block * (bytes - scaleBytes));
  }
  return { scales: nvfp4Scales(blocks), pairs };
}

/** The scales of the blocks that do not stand for zeros alone: the others may become anything. */
function usedScales(blocks: LayerBlocks): Float32Array {
  const { scales, pairs } = splitBlocks(blocks);
  const length = pairs.length / blocks.count;
  return scales.filter((_, block) => pairs.subarray(block * length, (block + 1) * length).some((pair) => pair !== 0));
}

const largestOf = (scales: Float32Array): number => scales.reduce((most, scale) => Math.max(most, scale), 0);

/** The power of two that makes the largest scale one of E4M3's largest, 448 or less. @param largest 0 where nothing is scaled */
function globalScale(largest: number): number {
  if (largest === 0) return 1;
  const exponent = Math.floor(Math.log2(largest));
  return 2 ** (largest / 2 ** exponent > 1.75 ? 7 - exponent : 8 - exponent);
}

/** The rounded weights of each site: of those that read the same input programs join some, and these want one global scale. */
const weightsByInput = (model: ArchitectureModel, layers: ScratchLayers): readonly (readonly string[])[] =>
  [...model.blocks, ...(model.embeddings === undefined ? [] : [model.embeddings])].flatMap(({ sites }) =>
    sites.map(({ weights }) => weights.flatMap(({ tensor }) => (layers.summaries.has(tensor) ? [tensor] : []))),
  );

/**
 * The global scale of each tensor, the same for those of a site. E4M3 has whole scales down to 2^-14 of the largest, or 2^-13; what
 * is below becomes the nearest number that it has, which a warning says.
 */
function globalScales(
  model: ArchitectureModel,
  layers: ScratchLayers,
  warn: (message: string) => void,
): ReadonlyMap<string, number> {
  const globals = new Map<string, number>();
  let [changed, total] = [0, 0];
  for (const tensors of weightsByInput(model, layers)) {
    const scales = tensors.map((tensor) => usedScales(blocksOf(layers, tensor, type)));
    const global = globalScale(Math.max(0, ...scales.map(largestOf)));
    for (const own of scales) {
      const wanted = own.map((scale) => scale * global);
      const stored = decodeE4m3(encodeE4m3(wanted));
      changed += wanted.filter((scale, index) => scale !== stored[index]).length;
      total += own.length;
    }
    for (const tensor of tensors) globals.set(tensor, global);
  }
  if (changed > 0) {
    warn(
      `${changed} of ${total} scales are less than a ten-thousandth of the largest beside them, below the whole range of E4M3, and are rounded to what it has there: their weights are not those of --format dense`,
    );
  }
  return globals;
}

/**
 * nvfp4-pack-quantized: weight_packed [rows, columns / 2] of two codes of E2M1 a byte, weight_scale [rows, columns / 16] of E4M3, and
 * weight_global_scale [1], by which scales are divided: a power of two, so that they are exact.
 */
export const nvfp4: PackedBlocks = {
  type,
  format: "nvfp4-pack-quantized",
  groupSize,
  scheme: { strategy: "tensor_group", scale_dtype: "torch.float8_e4m3fn", zp_dtype: "torch.float8_e4m3fn" },
  plan(model, layers, warn) {
    const globals = globalScales(model, layers, warn);
    return (tensor, module) => {
      const own = blocksOf(layers, tensor, type);
      const global = globals.get(tensor);
      if (global === undefined) throw new InternalError(`layer ${tensor} is of no site`, { tensor });
      const { rows, columns } = own;
      return [
        { name: `${module}.weight_packed`, storedDtype: "U8", shape: [rows, columns / 2], read: () => splitBlocks(own).pairs },
        {
          name: `${module}.weight_scale`,
          storedDtype: "F8_E4M3",
          shape: [rows, columns / groupSize],
          read: () => encodeE4m3(splitBlocks(own).scales.map((scale) => scale * global)),
        },
        { name: `${module}.weight_global_scale`, storedDtype: "F32", shape: [1], read: () => Float32Array.of(global) },
      ];
    };
  },
};
