import type { QuantisedLayer } from "./quantised-layer.ts";

/** Layers that share bits, group size and symmetry. */
export interface GridClass {
  readonly bits: number;
  /** -1 where one group spans the row, whatever its width. */
  readonly groupSize: number;
  readonly symmetric: boolean;
  readonly layers: readonly QuantisedLayer[];
}

/** Sorts layers into classes, the largest first; of equal ones the first by the order of the layers. */
export function gridClasses(layers: readonly QuantisedLayer[]): readonly GridClass[] {
  const classes = new Map<string, GridClass & { layers: QuantisedLayer[] }>();
  for (const layer of layers) {
    const { bits, symmetric } = layer;
    const groupSize = layer.groups === 1 ? -1 : layer.groupSize;
    const key = [bits, groupSize, symmetric].join(" ");
    const known = classes.get(key);
    if (known === undefined) classes.set(key, { bits, groupSize, symmetric, layers: [layer] });
    else known.layers.push(layer);
  }
  return [...classes.values()].sort((a, b) => b.layers.length - a.layers.length);
}
