import { FailedPreconditionError } from "@mbs/contracts";
import type { GroupGrid } from "@mbs/contracts";
import { gridInRows, groupWidth } from "@mbs/numbers";
import { groupsIn, isSymmetric } from "../layers/layer-grid.ts";
import type { LayerGrid } from "../layers/layer-grid.ts";
import type { QuantisedLayer } from "../layers/quantised-layer.ts";

/** Smaller groups cost more for their scales than they save, so layers are not forced into them. */
const leastForcedGroup = 16;

const greatestDivisor = (a: number, b: number): number => (b === 0 ? a : greatestDivisor(b, a % b));

const spanOf = ({ columns, grid }: LayerGrid): number => groupWidth(columns, grid);

/**
 * Columns a group of the grid that all layers share; 0 where one group spans the rows of each.
 *
 * @throws {FailedPreconditionError} where no group of a fair size divides the groups of all layers
 */
export function sharedGroupSize(layers: readonly LayerGrid[]): number {
  if (layers.every(({ grid }) => grid.groupSize === 0)) return 0;
  const spans = layers.map(spanOf);
  const shared = spans.reduce(greatestDivisor);
  const least = Math.min(...spans);
  if (shared >= Math.min(least, leastForcedGroup)) return shared;
  throw new FailedPreconditionError(
    `compressed-tensors needs one group size for all layers, and groups of ${least} and ${Math.max(...spans)} columns share none of ${leastForcedGroup} or more; compress with one --group-size that divides all widths, or assemble with --format gptq or dense`,
  );
}

/** The least grid that holds the codes of all layers without a change of their values. */
export const sharedGrid = (layers: readonly QuantisedLayer[]): GroupGrid => ({
  kind: "groups",
  bits: Math.max(...layers.map(({ grid }) => grid.bits)),
  groupSize: sharedGroupSize(layers),
  zeroPoints: layers.every(({ grid }) => isSymmetric(grid)) ? "middle" : "any",
});

const repeated = <Values extends Float32Array | Uint8Array>(values: Values, times: number, empty: Values): Values => {
  for (const [index, value] of values.entries()) empty.fill(value, index * times, (index + 1) * times);
  return empty;
};

/**
 * A layer on the shared grid: codes moved so that the middle stays the middle, scales and zeros repeated for smaller groups.
 * Its values are the same.
 */
export function onSharedGrid(layer: QuantisedLayer, shared: GroupGrid): QuantisedLayer {
  const parts = shared.groupSize === 0 ? 1 : spanOf(layer) / shared.groupSize;
  const shift = isSymmetric(shared) ? 2 ** (shared.bits - 1) - 2 ** (layer.grid.bits - 1) : 0;
  const grid = gridInRows(shared, layer.columns);
  if (parts === 1 && shift === 0) return { ...layer, grid };
  const groups = groupsIn(layer) * parts;
  const count = layer.rows * groups;
  return {
    ...layer,
    grid,
    groupOf: Int32Array.from(layer.groupOf, (_, column) => Math.floor((column * groups) / layer.columns)),
    scales: repeated(layer.scales, parts, new Float32Array(count)),
    zeros: repeated(layer.zeros, parts, new Uint8Array(count)).map((zero) => zero + shift),
    codes: () => layer.codes().map((code) => code + shift),
  };
}
