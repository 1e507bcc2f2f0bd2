import { at, InternalError } from "@mbs/contracts";
import type { GroupGrid, ZeroPoints } from "@mbs/contracts";
import { gridInRows, groupWidth, roundTo } from "@mbs/numbers";
import type { WeightDtype } from "@mbs/numbers";
import { groupsIn, isSymmetric, refuseLayer, refuseWithoutCodes } from "./layer-grid.ts";
import type { LayerGrid } from "./layer-grid.ts";
import type { LayerPart, ScratchLayers } from "./scratch-layers.ts";

/** Layers that share bits, group size and symmetry. */
export interface GridClass {
  /** That of the first of them. */
  readonly grid: GroupGrid;
  readonly layers: readonly QuantisedLayer[];
}

/** Sorts layers into classes, the largest first; of equal ones the first by the order of the layers. */
export function gridClasses(layers: readonly QuantisedLayer[]): readonly GridClass[] {
  const classes = new Map<string, GridClass & { layers: QuantisedLayer[] }>();
  for (const layer of layers) {
    const { grid } = layer;
    const key = [grid.bits, grid.groupSize, isSymmetric(grid)].join(" ");
    const known = classes.get(key);
    if (known === undefined) classes.set(key, { grid, layers: [layer] });
    else known.layers.push(layer);
  }
  return [...classes.values()].sort((a, b) => b.layers.length - a.layers.length);
}

/** What `readQuantisedLayer` reads of a layer. */
export const quantisedParts: readonly LayerPart[] = ["mask", "codes", "scales", "zeros", "groups"];

/** A tensor on a grid. Value = (code - zero) · scale. */
export interface QuantisedLayer extends LayerGrid {
  /** [rows, groups] */
  readonly scales: Float32Array;
  /** [rows, groups] */
  readonly zeros: Uint8Array;
  /** [rows, columns], read when asked for. Where a mask removed a weight, the code is the zero. */
  codes(): Uint8Array;
}

/**
 * @param dtype in which the scales are stored
 * @param remedy what else to take than this dtype
 * @throws {FailedPreconditionError} where it would make a scale infinite or zero
 */
export function requireScales(layer: QuantisedLayer, dtype: WeightDtype, remedy = "--format dense"): void {
  const rounded = roundTo(dtype, layer.scales);
  const index = rounded.findIndex((scale) => scale === 0 || !Number.isFinite(scale));
  if (index >= 0) refuseLayer(layer, `scale ${layer.scales[index]} is beyond the range of ${dtype}; assemble with ${remedy}`);
}

/** The bytes of a part that a layer with codes has: its parts were checked when it was read. */
function readPart(layers: ScratchLayers, tensor: string, part: LayerPart): Uint8Array {
  const found = layers.readPart(tensor, part);
  if (found === undefined) throw new InternalError(`layer ${tensor} has codes and no ${part}`, { tensor, part });
  return found.data;
}

/** Codes with the masked ones on their group's zero, which stands for the value 0. */
function maskCodes(codes: Uint8Array, mask: Uint8Array, layer: Omit<QuantisedLayer, "codes">): Uint8Array {
  const { rows, columns, zeros, groupOf } = layer;
  const groups = groupsIn(layer);
  const stride = Math.ceil(columns / 8);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      const byte = mask[row * stride + (column >> 3)];
      if (byte === undefined) throw new InternalError(`layer ${layer.tensor}: its mask is too short`);
      if (((byte >> (column & 7)) & 1) === 0) codes[row * columns + column] = at(zeros, row * groups + at(groupOf, column));
    }
  }
  return codes;
}

/** The fewest zero points that are all of these. */
function zeroPointsOf(zeros: Uint8Array, bits: number): ZeroPoints {
  const middle = 2 ** (bits - 1);
  if (zeros.every((zero) => zero === middle)) return "middle";
  return zeros.includes(0) ? "any" : "from-one";
}

/**
 * The grid of a layer; its codes stay on disk until asked for.
 *
 * @throws {FailedPreconditionError} where the layer has no codes: it was pruned, or left as it was
 */
export function readQuantisedLayer(layers: ScratchLayers, tensor: string, format: string): QuantisedLayer {
  const { bits, groupSize, solver } = layers.summaries.get(tensor) ?? {};
  if (bits === undefined || groupSize === undefined || !layers.has(tensor, "codes")) {
    refuseWithoutCodes(tensor, solver ?? "its solver", format);
  }
  const shape = layers.shapes.get(tensor);
  if (shape === undefined) throw new InternalError(`layer ${tensor} has codes and no shape`, { tensor });
  const { rows, columns } = shape;
  // Copies, so that views of 4 bytes a value are aligned.
  const scales = new Float32Array(readPart(layers, tensor, "scales").slice().buffer);
  const zeros = readPart(layers, tensor, "zeros");
  const groupOf = new Int32Array(readPart(layers, tensor, "groups").slice().buffer);
  const stated: GroupGrid = { kind: "groups", bits, groupSize, zeroPoints: zeroPointsOf(zeros, bits) };
  const width = groupWidth(columns, stated);
  const reordered = groupOf.some((group, column) => group !== Math.floor(column / width));
  const layer = { tensor, rows, columns, grid: gridInRows(stated, columns), reordered, scales, zeros, groupOf };
  return {
    ...layer,
    codes() {
      const codes = readPart(layers, tensor, "codes");
      return layers.has(tensor, "mask") ? maskCodes(codes, readPart(layers, tensor, "mask"), layer) : codes;
    },
  };
}
