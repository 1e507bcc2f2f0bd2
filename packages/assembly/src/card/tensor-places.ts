import { at } from "@mbs/contracts";

/** Where a tensor is in its model, by its name. */
export interface TensorPlace {
  /** What it is, without the number of its layer: "mlp.down_proj"; with the layers' own name where a model has several stacks of them. */
  readonly kind: string;
  /** Whose layers: "encoder.block"; "" where a model has one stack of layers. */
  readonly stack: string;
  /** Its layer in that stack; absent for tensors outside of layers. */
  readonly layer?: number;
}

/** A number between dots: the first of a name is that of its layer, others are of experts or sublayers. */
const numberPart = /(?<=\.)\d+(?=\.)/;

/** "model.layers.3.mlp.up_proj.weight" → "model.layers.*.mlp.up_proj" */
const patternOf = (tensor: string): string => tensor.replace(/\.weight$/, "").replaceAll(new RegExp(numberPart, "g"), "*");

/** "model.layers.*." of "model.layers.*.mlp.up_proj"; undefined outside of layers. */
const layersOf = (pattern: string): string | undefined => /^.*?\*\./.exec(pattern)?.[0];

/**
 * Items of tensors, each with the tensor's place.
 *
 * @param items all that are spoken of together: what their names share is left out of kinds
 */
export function withPlaces<Item extends { readonly tensor: string }>(items: readonly Item[]): (Item & TensorPlace)[] {
  const patterns = items.map(({ tensor }) => patternOf(tensor));
  const stacks = new Set(patterns.flatMap((pattern) => layersOf(pattern) ?? []));
  return items.map((item, index) => {
    const pattern = at(patterns, index);
    const layers = layersOf(pattern);
    if (layers === undefined) return { ...item, kind: pattern, stack: "" };
    const layer = Number(numberPart.exec(item.tensor)?.[0]);
    return stacks.size > 1
      ? { ...item, kind: pattern, stack: layers.slice(0, -".*.".length), layer }
      : { ...item, kind: pattern.slice(layers.length), stack: "", layer };
  });
}
