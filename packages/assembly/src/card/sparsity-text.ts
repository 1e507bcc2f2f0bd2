import { groupBy } from "@mbs/contracts";
import { readRecord } from "./assembly-record.ts";
import { withPlaces } from "./storage-counts.ts";

/** A tensor with the share of its weights that is removed. */
export interface PrunedTensor {
  readonly tensor: string;
  readonly sparsity: number;
}

const meanOf = (tensors: readonly PrunedTensor[]): number =>
  tensors.reduce((sum, { sparsity }) => sum + sparsity, 0) / tensors.length;

/** The mean, with "(0.20 to 0.80)" behind it where not all are the same. */
function rangeText(tensors: readonly PrunedTensor[]): string {
  const all = tensors.map(({ sparsity }) => sparsity);
  const [least, most] = [Math.min(...all).toFixed(2), Math.max(...all).toFixed(2)];
  return least === most ? least : `${meanOf(tensors).toFixed(2)} (${least} to ${most})`;
}

/** How sparse tensors are by kind in a line, and by layer in a line for each stack of layers. */
export function formatSparsities(tensors: readonly PrunedTensor[]): string {
  const placed = withPlaces(tensors);
  const kinds = [...groupBy(placed, ({ kind }) => kind)].map(([kind, own]) => `${kind} ${rangeText(own)}`);
  const inLayers = placed.flatMap(({ layer, ...tensor }) => (layer === undefined ? [] : [{ ...tensor, layer }]));
  const stacks = [...groupBy(inLayers, ({ stack }) => stack)].map(([stack, ofStack]) => {
    const layers = [...groupBy(ofStack, ({ layer }) => layer)].sort(([a], [b]) => a - b);
    const means = layers.map(([layer, own]) => `${layer}: ${meanOf(own).toFixed(2)}`);
    return `sparsity by layer${stack === "" ? "" : ` of ${stack}`}, mean of its tensors: ${means.join(", ")}\n`;
  });
  return `sparsity by kind of tensor: ${kinds.join(", ")}\n${stacks.join("")}`;
}

/**
 * The sparsities that were allocated to the tensors of a model; "" where none were.
 *
 * @param folder one that assemble has written
 */
export async function sparsityText(folder: string): Promise<string> {
  const { layers, tensors } = await readRecord(folder);
  const isSpread = layers.some(({ options }) => options["allocation"] !== undefined && options["sparsity"] !== undefined);
  return isSpread ? formatSparsities(Object.entries(tensors).map(([tensor, { sparsity }]) => ({ tensor, sparsity }))) : "";
}
