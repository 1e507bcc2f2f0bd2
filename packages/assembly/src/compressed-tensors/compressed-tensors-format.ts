import { parseOptions } from "@mbs/contracts";
import type { OptionTable, PlannedCodes } from "@mbs/contracts";
import { configOf } from "@mbs/models";
import type { ArchitectureModel, Model, WeightDtype } from "@mbs/models";
import { codeBits } from "@mbs/numbers";
import { denseFormat } from "../dense-format.ts";
import type { Format } from "../format.ts";
import { isSymmetric, plannedGrids, refuseLayer } from "../layers/layer-grid.ts";
import { quantisedParts, readQuantisedLayer } from "../layers/quantised-layer.ts";
import type { QuantisedLayer } from "../layers/quantised-layer.ts";
import type { ScratchLayers } from "../layers/scratch-layers.ts";
import { packedHead, packEmbeddings, untiedKeys, withEmbeddings } from "../layers/left-embeddings.ts";
import { siteWeights, transposedTensors } from "../layers/site-weights.ts";
import { requireCodesToUntie, untyingOptions } from "../layers/untied-head.ts";
import { moduleOf, prefixedName, requireSeparateExperts } from "../safetensors/module-names.ts";
import { replacedWeights } from "../safetensors/replaced-weights.ts";
import type { NewTensor } from "../safetensors/replaced-weights.ts";
import { chosenDtype, dtypeOptions } from "../safetensors/written-dtype.ts";
import { groupOfAll, groupsByGrid, ignoredLayers, packedConfig, sparseConfig } from "./compressed-tensors-config.ts";
import { blocksConfig, packedBlocks, typeOfAll } from "./packed-blocks.ts";
import { checkPackedGrid, checkPackedLayer, packedTensors, refuseTransposed } from "./packed-tensors.ts";
import { safetensorsBytes } from "../planned-size.ts";
import { onSharedGrid, sharedGrid, sharedGroupSize } from "./shared-grid.ts";

const name = "compressed-tensors";

/** Bits that programs have kernels for, and that every version of the library packs alike. */
const common: ReadonlySet<number> = new Set([2, 4, 8]);

/** A weight of one of the experts between which a router chooses; one that all tokens share is like any other layer. */
const isRouted = (tensor: string): boolean => /\.experts\.\d+\./.test(tensor);

/** @throws {FailedPreconditionError} naming an expert's layer, which transformers would read by another grid than its own */
function checkNoExperts(layers: readonly { readonly tensor: string }[]): void {
  const expert = layers.find(({ tensor }) => isRouted(tensor));
  if (expert === undefined) return;
  refuseLayer(
    expert,
    "transformers reads all experts by one config group of compressed-tensors; assemble with --config-groups one, or --format gptq",
  );
}

/** Codes that take as many bytes as blocks of 4 bits: a scale has 8 bits there, half of one in half precision. */
const asGroups = (groupSize: number): PlannedCodes => ({
  grid: { kind: "groups", bits: 4, groupSize: 2 * groupSize, zeroPoints: "middle" },
  scattered: false,
});

/**
 * transformers stacks the experts of a block and unpacks them by one config group, without zero points. It drops dense
 * experts, whether the others are packed or not.
 *
 * @param packed names of the tensors that are packed
 * @throws {FailedPreconditionError} naming an expert's layer that transformers would read wrong, with the remedy
 */
function checkExperts(model: Model, packed: ReadonlySet<string>, symmetric: boolean): void {
  for (const { tensor } of siteWeights(model).filter(({ tensor: name }) => isRouted(name))) {
    if (!packed.has(tensor)) {
      refuseLayer(
        { tensor },
        "transformers reads the experts of compressed-tensors only where all are packed, and this one is left dense; compress all of them, or assemble with --format dense",
      );
    }
    if (!symmetric) {
      refuseLayer(
        { tensor },
        "transformers reads no zero points of experts in compressed-tensors; compress with --symmetric, or assemble with --format dense",
      );
    }
  }
}

const options = {
  ...dtypeOptions,
  ...untyingOptions,
  configGroups: {
    kind: "choice",
    choices: ["one", "several"],
    description:
      "one grid for all layers, which every program reads, or one for each number of bits, which transformers does not read with dequantize=True",
    default: "one",
  },
} as const satisfies OptionTable;

const storesMostBits =
  "compressed-tensors stores all layers with the most bits of any, unless assemble has config-groups: several, which transformers does not read with dequantize=True; give it that, or take format gptq";

/** A folder whose compressed layers are packed. */
interface PackedFolder {
  readonly model: ArchitectureModel;
  readonly layers: ScratchLayers;
  readonly dtype: WeightDtype | undefined;
  /** The name in the folder of a tensor of the model. */
  readonly nameOf: (tensor: string) => string;
  /** Tensors of the compressed layers. */
  readonly packed: ReadonlySet<string>;
  readonly transposed: ReadonlySet<string>;
  readonly warn: (message: string) => void;
}

/** What takes the place of the compressed tensors, and `quantization_config`. */
interface PackedTensors {
  readonly tensors: ReadonlyMap<string, readonly NewTensor[]>;
  readonly quantisation: object;
}

/** Layers in blocks of MXFP4 or NVFP4. */
function blockTensors({ model, layers, dtype, nameOf, packed, transposed, warn }: PackedFolder): PackedTensors {
  const blocks = typeOfAll(layers);
  checkExperts(model, packed, true);
  checkNoExperts([...packed].map((tensor) => ({ tensor })));
  for (const tensor of packed) if (transposed.has(tensor)) refuseTransposed({ tensor });
  if ((dtype ?? model.dtype) !== "bf16") {
    warn(
      `transformers computes with ${blocks.type} in bf16 alone: assemble with --dtype bf16, or load it with CompressedTensorsConfig(dequantize=True)`,
    );
  }
  const tensorsOf = blocks.plan(model, layers, warn);
  return {
    tensors: new Map([...packed].map((tensor) => [tensor, tensorsOf(tensor, moduleOf(nameOf(tensor), name))])),
    quantisation: blocksConfig(blocks, ignoredLayers(model, packed)),
  };
}

/** Layers of codes in groups. */
function codeTensors(folder: PackedFolder, configGroups: "one" | "several"): PackedTensors {
  const { model, layers, dtype, nameOf, packed, transposed, warn } = folder;
  const quantised = [...packed].map((tensor) => readQuantisedLayer(layers, tensor, name));
  const dtypeOf = ({ tensor }: QuantisedLayer): WeightDtype => dtype ?? model.checkpoint.info(tensor).dtype ?? model.dtype;
  for (const layer of quantised) checkPackedLayer(layer, transposed.has(layer.tensor), dtypeOf(layer));
  const grid = sharedGrid(quantised);
  checkExperts(model, packed, isSymmetric(grid));
  const several = configGroups === "several" && quantised.some((layer) => layer.grid.bits !== grid.bits);
  if (several) checkNoExperts(quantised);
  warnOfReaders(quantised, grid, several, warn);
  return {
    tensors: new Map(
      quantised.map((layer) => [
        layer.tensor,
        packedTensors(moduleOf(nameOf(layer.tensor), name), several ? layer : onSharedGrid(layer, grid), dtypeOf(layer)),
      ]),
    ),
    quantisation: packedConfig(several ? groupsByGrid(quantised, name) : [groupOfAll(grid)], ignoredLayers(model, packed)),
  };
}

/** Says which programs do not read such layers, or read them larger than they are. */
function warnOfReaders(
  quantised: readonly QuantisedLayer[],
  grid: ReturnType<typeof sharedGrid>,
  several: boolean,
  warn: (message: string) => void,
): void {
  const { bits } = grid;
  const all = [...new Set(several ? quantised.map((layer) => layer.grid.bits) : [bits])].sort();
  const rare = all.filter((own) => !common.has(own));
  if (rare.length > 0) {
    warn(`only compressed-tensors 0.20 and later read ${rare.join(" and ")} bits; vLLM has kernels for 4 and 8`);
  }
  if (several) warn("transformers does not read several config groups with CompressedTensorsConfig(dequantize=True)");
  const fewer = quantised.filter((layer) => layer.grid.bits < bits).length;
  if (fewer > 0 && !several) {
    warn(
      `${fewer} of ${quantised.length} layers have fewer than ${bits} bits and are stored with ${bits}: --config-groups several or --format gptq keeps the bits of each`,
    );
  }
  if (!isSymmetric(grid)) {
    warn("transformers 5.24 reads asymmetric compressed-tensors only with CompressedTensorsConfig(dequantize=True)");
  }
}

/**
 * Folders of compressed-tensors: quantised weights packed (pack-quantized, or mxfp4- and nvfp4-pack-quantized), pruned ones dense
 * with their zeros.
 */
export const compressedTensorsFormat: Format = {
  name,
  stacks: ["decoder"],
  holds(raw) {
    const { configGroups } = parseOptions(options, raw, `assemble --format ${name}`);
    // transformers reads other zero points with dequantize=True alone
    const groups = { kind: "groups", bits: codeBits, zeroPoints: "middle" } as const;
    return [
      configGroups === "several" ? groups : { ...groups, sameBits: storesMostBits },
      { kind: "blocks", types: [...packedBlocks.keys()] },
    ];
  },
  options,
  parts: quantisedParts,
  checkPlan(model, { grids, embeddings }, raw) {
    const { configGroups, untieHead } = parseOptions(options, raw, `assemble --format ${name}`);
    requireSeparateExperts(model, name);
    requireCodesToUntie(untieHead, grids.length > 0);
    const packed = [...grids, ...packedHead(model, embeddings, name, untieHead)];
    const transposed = model.kind === "graph" ? new Set<string>() : transposedTensors(model);
    for (const grid of packed) {
      checkPackedGrid(grid, transposed.has(grid.tensor));
      moduleOf(grid.tensor, name);
    }
    if (packed.length > 0) sharedGroupSize(packed);
    if (configGroups === "several") checkNoExperts(grids);
    const symmetric = grids.every(({ grid }) => isSymmetric(grid));
    checkExperts(model, new Set(grids.map(({ tensor }) => tensor)), symmetric);
  },
  async plannedBytes(model, { grids, embeddings, type }, raw) {
    const { untieHead, dtype } = parseOptions(options, raw, `assemble --format ${name}`);
    const sites = model.blocks.flatMap((block) => block.sites);
    const blocks = packedBlocks.get(type ?? "");
    const ofBlocks = blocks ? plannedGrids(sites, asGroups(blocks.groupSize)) : grids;
    const packed = [...ofBlocks, ...packedHead(model, embeddings, name, untieHead)];
    return safetensorsBytes(model, packed, dtype ?? model.writtenDtype);
  },
  async plan(source, given, raw, context) {
    const { configGroups, untieHead, ...others } = parseOptions(options, raw, `assemble --format ${name}`);
    const dtype = chosenDtype(source, others, `assemble --format ${name}`);
    requireSeparateExperts(source, name);
    requireCodesToUntie(
      untieHead,
      [...given.summaries.values()].some(({ bits, grid }) => bits !== undefined || grid !== undefined),
    );
    const embeddings = packEmbeddings(source, given, { format: name, untieHead, warn: context.warn });
    const { model, layers } = embeddings;
    const folder: PackedFolder = {
      model,
      layers,
      dtype,
      // beside a head of its own, programs take names without the language model's prefix for those of another model
      nameOf: (tensor) => (embeddings.ownHead === undefined ? tensor : prefixedName(model, tensor)),
      packed: new Set(layers.summaries.keys()),
      transposed: transposedTensors(model),
      warn: context.warn,
    };
    const summaries = [...layers.summaries.values()];
    const isInBlocks = summaries.some((summary) => summary.grid !== undefined);
    if (!isInBlocks && summaries.every(({ bits }) => bits === undefined)) {
      checkExperts(model, new Set(), true);
      context.warn(
        "pruned weights are stored with their zeros, so the folder is as large as the dense one: current programs read none of the packed sparse formats (sparse-bitmask, sparse-24-bitmask)",
      );
      const dense = await denseFormat.plan(model, layers, others, context);
      return { ...dense, files: [...dense.files, await sparseConfig(model, layers, dtype)] };
    }
    const { tensors, quantisation } = isInBlocks ? blockTensors(folder) : codeTensors(folder, configGroups);
    const weights = replacedWeights(model, layers, tensors, dtype, folder.nameOf);
    const config = await configOf(model, { dtype, quantisation, more: untiedKeys(embeddings) });
    return withEmbeddings({ ...weights, files: [...weights.files, config] }, embeddings, context.warn);
  },
};
