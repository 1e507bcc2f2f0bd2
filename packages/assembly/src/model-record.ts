import type { Model, RecordedLayers } from "@mbs/models";
import type { LayerSpool } from "./layer-spool.ts";
import type { ModelSizes } from "./model-sizes.ts";

const sortedObject = <T>(entries: Iterable<readonly [string, T]>): Record<string, T> =>
  Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : 1)));

/** How a model takes up less room than the dense one, where it does. */
export interface PackedRecord {
  readonly format: string;
  readonly sizes: ModelSizes;
}

/**
 * What stands in mbs.json, a `ModelRecord` and more: the dense model's address, how each artifact of layers was made, and the error and sparsity of
 * every tensor. Nothing in it differs between two runs of the same work.
 *
 * @param model that was compressed; what is to be known of how it was read stands in it, too
 * @param packed absent for the dense format
 */
export function formatRecord({ address, notes }: Model, { origins, summaries }: LayerSpool, packed?: PackedRecord): string {
  const layers = origins.map(({ address: made, solver, options, order, weights }): RecordedLayers => ({
    address: made,
    solver,
    options: sortedObject(Object.entries(options)),
    order,
    weights: sortedObject(Object.entries(weights)),
  }));
  return `${JSON.stringify({ version: 1, model: address, ...packed, ...(notes.length > 0 && { notes }), layers, tensors: sortedObject(summaries) }, undefined, 2)}\n`;
}
