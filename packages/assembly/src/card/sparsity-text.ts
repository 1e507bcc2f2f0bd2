import { readRecord } from "./assembly-record.ts";

/** Names of a kind of tensor: "model.layers.3.mlp.up_proj.weight" → "up_proj". */
const kindOf = (tensor: string): string =>
  tensor
    .replace(/\.weight$/, "")
    .split(".")
    .at(-1) ?? tensor;

/** The number of the layer in a tensor's name: 3 of "model.layers.3.mlp.up_proj.weight". */
const layerOf = (tensor: string): number => Number(/\.(\d+)\./.exec(tensor)?.[1] ?? -1);

/** "0.20 to 0.80" with the mean in front; one number where all are the same. */
function rangeText(values: readonly number[]): string {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const [least, most] = [Math.min(...values).toFixed(2), Math.max(...values).toFixed(2)];
  return least === most ? least : `${mean.toFixed(2)} (${least} to ${most})`;
}

/** Values of tensors by a key, in the order of the keys' first tensors. */
function groups<Key>(tensors: readonly (readonly [string, number])[], keyOf: (tensor: string) => Key): Map<Key, number[]> {
  const found = new Map<Key, number[]>();
  for (const [tensor, sparsity] of tensors) {
    const own = found.get(keyOf(tensor)) ?? [];
    own.push(sparsity);
    found.set(keyOf(tensor), own);
  }
  return found;
}

/**
 * How sparse tensors are by kind and by layer, in two lines.
 *
 * @param tensors of a record, with their sparsity
 */
export function formatSparsities(tensors: Readonly<Record<string, { readonly sparsity: number }>>): string {
  const all = Object.entries(tensors).map(([tensor, { sparsity }]) => [tensor, sparsity] as const);
  const kinds = [...groups(all, kindOf)].map(([kind, own]) => `${kind} ${rangeText(own)}`);
  const layers = [...groups(all, layerOf)].sort(([a], [b]) => a - b);
  const means = layers.map(([, own]) => (own.reduce((sum, value) => sum + value, 0) / own.length).toFixed(2));
  return `sparsity by kind of tensor: ${kinds.join(", ")}\nsparsity by layer, mean of its tensors: ${means.join(" ")}\n`;
}

/**
 * The sparsities that were allocated to the tensors of a model; "" where none were.
 *
 * @param folder one that assemble has written
 */
export async function sparsityText(folder: string): Promise<string> {
  const { layers, tensors } = await readRecord(folder);
  const isSpread = layers.some(({ options }) => options["allocation"] !== undefined && options["sparsity"] !== undefined);
  return isSpread ? formatSparsities(tensors) : "";
}
