import { FailedPreconditionError } from "@mbs/contracts";
import type { LayerGrid } from "../layers/layer-grid.ts";
import type { QuantisedLayer } from "../layers/quantised-layer.ts";

/** One grid that holds the codes of several layers without a change of their values. */
export interface SharedGrid {
  readonly bits: number;
  /** Columns a group; -1 where one group spans the row, whatever its width. */
  readonly groupSize: number;
  readonly symmetric: boolean;
}

/** Smaller groups cost more for their scales than they save, so layers are not forced into them. */
const leastForcedGroup = 16;

const greatestDivisor = (a: number, b: number): number => (b === 0 ? a : greatestDivisor(b, a % b));

const spanOf = ({ groups, groupSize, columns }: LayerGrid): number => (groups === 1 ? columns : groupSize);

/** @throws {FailedPreconditionError} where no group of a fair size divides the groups of all layers */
export function sharedGroupSize(layers: readonly LayerGrid[]): number {
  if (layers.every(({ groups }) => groups === 1)) return -1;
  const spans = layers.map(spanOf);
  const shared = spans.reduce(greatestDivisor);
  const least = Math.min(...spans);
  if (shared >= Math.min(least, leastForcedGroup)) return shared;
  throw new FailedPreconditionError(
    `compressed-tensors needs one group size for all layers, and groups of ${least} and ${Math.max(...spans)} columns share none of ${leastForcedGroup} or more; compress with one --group-size that divides all widths, or assemble with --format gptq or dense`,
  );
}

/** The least grid that holds all layers. */
export const sharedGrid = (layers: readonly QuantisedLayer[]): SharedGrid => ({
  bits: Math.max(...layers.map(({ bits }) => bits)),
  groupSize: sharedGroupSize(layers),
  symmetric: layers.every(({ symmetric }) => symmetric),
});

const repeated = <Values extends Float32Array | Uint8Array>(values: Values, times: number, empty: Values): Values => {
  for (const [index, value] of values.entries()) empty.fill(value, index * times, (index + 1) * times);
  return empty;
};

/**
 * A layer on the shared grid: codes moved so that the middle stays the middle, scales and zeros repeated for smaller groups.
 * Its values are the same.
 */
export function onSharedGrid(layer: QuantisedLayer, { bits, groupSize, symmetric }: SharedGrid): QuantisedLayer {
  const parts = groupSize === -1 ? 1 : spanOf(layer) / groupSize;
  const shift = symmetric ? 2 ** (bits - 1) - 2 ** (layer.bits - 1) : 0;
  if (parts === 1 && shift === 0) return { ...layer, bits, symmetric };
  const groups = layer.groups * parts;
  const count = layer.rows * groups;
  return {
    ...layer,
    bits,
    symmetric,
    groups,
    groupSize: layer.columns / groups,
    groupOf: Int32Array.from(layer.groupOf, (_, column) => Math.floor((column * groups) / layer.columns)),
    scales: repeated(layer.scales, parts, new Float32Array(count)),
    zeros: repeated(layer.zeros, parts, new Uint8Array(count)).map((zero) => zero + shift),
    codes: () => layer.codes().map((code) => code + shift),
  };
}
