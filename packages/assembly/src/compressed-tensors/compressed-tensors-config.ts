import type { GroupGrid } from "@mbs/contracts";
import { configOf } from "@mbs/models";
import type { ArchitectureModel, OutputFile, TensorInfo, WeightDtype } from "@mbs/models";
import type { ScratchLayers } from "../layers/scratch-layers.ts";
import { isSymmetric } from "../layers/layer-grid.ts";
import { gridClasses } from "../layers/quantised-layer.ts";
import type { QuantisedLayer } from "../layers/quantised-layer.ts";
import { carriedPatterns, denseLinears, moduleOf, modulePattern } from "../safetensors/module-names.ts";

/** What programs call the head, also where it is the embedding and the checkpoint has no tensor of that name. */
const head = "lm_head";

/** The linear layers that are stored dense, as `ignore` names them. */
export function ignoredLayers(model: ArchitectureModel, packed: ReadonlySet<string>): string[] {
  const { layout } = model;
  const others = denseLinears(model, packed).filter((module) => module !== head);
  const isPacked = layout.head !== layout.embedding && packed.has(layout.head);
  return [
    ...(isPacked ? [] : [head]),
    ...[...others.map(modulePattern), ...carriedPatterns(model)].map((pattern) => `re:${pattern}`),
  ];
}

/** Layers of one grid, by the names that programs match with theirs. */
export interface ConfigGroup {
  readonly grid: GroupGrid;
  readonly targets: readonly string[];
}

/** A group of all linear layers but those that `ignore` names. */
export const groupOfAll = (grid: GroupGrid): ConfigGroup => ({ grid, targets: ["Linear"] });

/**
 * A group for each grid, those of the most bits first: transformers reads all by the first when it dequantises, and then finds
 * too few codes in the others.
 */
export const groupsByGrid = (layers: readonly QuantisedLayer[], name: string): ConfigGroup[] =>
  gridClasses(layers)
    .map(({ grid, layers: own }) => ({
      grid,
      targets: own.map(({ tensor }) => `re:${modulePattern(moduleOf(tensor, name))}`),
    }))
    .sort((a, b) => b.grid.bits - a.grid.bits);

/**
 * What `quantization_config` says of packed weights.
 *
 * @param ignore the linear layers that are stored dense
 */
export const packedConfig = (groups: readonly ConfigGroup[], ignore: readonly string[]): object => ({
  quant_method: "compressed-tensors",
  format: "pack-quantized",
  quantization_status: "compressed",
  config_groups: Object.fromEntries(
    groups.map(({ targets, grid }, index) => [
      `group_${index}`,
      {
        targets,
        weights: {
          num_bits: grid.bits,
          type: "int",
          symmetric: isSymmetric(grid),
          strategy: grid.groupSize === 0 ? "channel" : "group",
          group_size: grid.groupSize === 0 ? null : grid.groupSize,
          dynamic: false,
        },
        input_activations: null,
        output_activations: null,
      },
    ]),
  ),
  ignore,
  kv_cache_scheme: null,
});

/** Whether a mask of 4 neighbours keeps at most 2. */
const keepsTwo = (nibble: number): boolean => (nibble & 1) + ((nibble >> 1) & 1) + ((nibble >> 2) & 1) + (nibble >> 3) <= 2;

/** Whether of every 4 neighbours in a row at most 2 are kept, which kernels for 2:4 rely on. */
function isTwoOfFour(layers: ScratchLayers, tensor: string): boolean {
  const mask = layers.readPart(tensor, "mask");
  if (mask === undefined || mask.columns % 4 !== 0) return false;
  return mask.data.every((byte) => keepsTwo(byte & 15) && keepsTwo(byte >> 4));
}

const count = ({ shape }: TensorInfo): number => shape.reduce((product, side) => product * side, 1);

/**
 * config.json of a pruned model. Programs read the weights as dense ones; `sparsity_config` says how many are zero and
 * whether in a pattern.
 */
export function sparseConfig(
  model: ArchitectureModel,
  layers: ScratchLayers,
  dtype: WeightDtype | undefined,
): Promise<OutputFile> {
  const tensors = [...layers.summaries.keys()];
  const zeros = [...layers.summaries].reduce(
    (sum, [tensor, { sparsity }]) => sum + sparsity * count(model.checkpoint.info(tensor)),
    0,
  );
  const all = model.checkpoint.list().reduce((sum, info) => sum + count(info), 0);
  const ignore = ignoredLayers(model, new Set(tensors));
  const quantisation = {
    quant_method: "compressed-tensors",
    format: "dense",
    ignore,
    sparsity_config: {
      format: "dense",
      targets: ["Linear"],
      ignore,
      global_sparsity: Number((zeros / all).toFixed(6)),
      sparsity_structure: tensors.every((tensor) => isTwoOfFour(layers, tensor)) ? "2:4" : "unstructured",
    },
  };
  return configOf(model, { dtype, quantisation });
}
