import { InternalError } from "@mbs/contracts";
import { quantisationTypeNamed } from "@mbs/gguf";
import type { ArchitectureModel } from "@mbs/models";
import type { ScratchLayers } from "../layers/scratch-layers.ts";
import type { NewTensor } from "../safetensors/replaced-weights.ts";

/** How compressed-tensors holds the blocks of one type. */
export interface PackedBlocks {
  /** "MXFP4" */
  readonly type: string;
  /** "mxfp4-pack-quantized" */
  readonly format: string;
  /** Columns that share a scale of 8 bits. */
  readonly groupSize: number;
  /** What `weights` of a config group says beside bits and group size. */
  readonly scheme: object;
  /**
   * Looks at all layers, which are in blocks of this type.
   *
   * @returns a function of a tensor and its linear layer that gives the layer's tensors
   */
  plan(
    model: ArchitectureModel,
    layers: ScratchLayers,
    warn: (message: string) => void,
  ): (tensor: string, module: string) => readonly NewTensor[];
}

/** The blocks of a layer, one behind the other. */
export interface LayerBlocks {
  readonly rows: number;
  readonly columns: number;
  /** How many there are. */
  readonly count: number;
  /** Bytes of one. */
  readonly bytes: number;
  readonly read: () => Uint8Array;
}

/** The blocks of a layer of a type. */
export function blocksOf(layers: ScratchLayers, tensor: string, type: string): LayerBlocks {
  const shape = layers.shapes.get(tensor);
  if (shape === undefined) throw new InternalError(`layer ${tensor} has blocks and no shape`, { tensor });
  const { rows, columns } = shape;
  const { values, bytes } = quantisationTypeNamed(type);
  const count = (rows * columns) / values;
  return {
    rows,
    columns,
    count,
    bytes,
    read() {
      const blocks = layers.readPart(tensor, "blocks")?.data;
      if (blocks?.length === count * bytes) return blocks;
      throw new InternalError(`layer ${tensor} has no ${type} blocks of its shape`, { tensor });
    },
  };
}
