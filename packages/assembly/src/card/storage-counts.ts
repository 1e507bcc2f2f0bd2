import type { LayerSummary, TensorAllocation } from "@mbs/artifacts";
import { groupBy, at } from "@mbs/contracts";
import { bitsIn, quantisationTypeNamed } from "@mbs/gguf";

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

/** A tensor with what it is stored as. */
export interface StoredTensor {
  readonly tensor: string;
  /** Of a code; absent or 0 where it has a type. */
  readonly bits?: number | undefined;
  /** The quantisation type of GGUF. */
  readonly type?: string | undefined;
}

/** Tensors of an allocation with what they are going to be stored as. */
export const allocatedStorage = (tensors: readonly TensorAllocation[]): readonly StoredTensor[] =>
  tensors.map(({ tensor, grid }) => ({ tensor, ...grid }));

/** How many tensors of each kind are stored as what. */
export interface StorageCounts {
  /** "3" bits, or types such as "Q4_K", from the fewest bits on. */
  readonly storages: readonly string[];
  readonly kinds: readonly {
    /** The names of the tensors without the number of their layer: "mlp.down_proj". */
    readonly kind: string;
    /** How many are stored so, in the order of `storages`. */
    readonly counts: readonly number[];
    /** Mean over them: of codes without scales, of types with them. */
    readonly bits: number;
  }[];
}

/**
 * Whether a weight was rounded twice: to a solver's codes, and to a type that the file has in their place.
 *
 * @param type of the written tensor; undefined in formats without
 */
export const isRoundedAgain = (summary: Pick<LayerSummary, "bits" | "grid"> | undefined, type: string | undefined): boolean =>
  summary?.bits !== undefined &&
  summary.grid === undefined &&
  type !== undefined &&
  quantisationTypeNamed(type).plain === undefined;

function bitsOf(storage: string): number {
  if (/^\d+$/.test(storage)) return Number(storage);
  return bitsIn(quantisationTypeNamed(storage));
}

/** Whether it has fewer bits than a dense weight. */
export const isQuantised = ({ bits = 0, type }: StoredTensor): boolean =>
  type === undefined ? bits > 0 : quantisationTypeNamed(type).plain === undefined;

/** Sorts tensors by kind and storage; those that have neither bits nor a type are left out. */
export function countStorage(tensors: Iterable<StoredTensor>): StorageCounts {
  const stored = [...tensors].flatMap(({ tensor, bits = 0, type }) =>
    type === undefined && bits === 0 ? [] : [{ tensor, storage: type ?? String(bits) }],
  );
  const storages = [...new Set(stored.map(({ storage }) => storage))].sort((a, b) => bitsOf(a) - bitsOf(b));
  const groups = groupBy(withPlaces(stored), ({ kind }) => kind);
  const kinds = [...groups].map(([kind, own]) => ({
    kind,
    counts: storages.map((storage) => own.filter((each) => each.storage === storage).length),
    bits: own.reduce((sum, { storage }) => sum + bitsOf(storage), 0) / own.length,
  }));
  return { storages, kinds };
}

/** The counts; undefined where all tensors have the same bits or type, or none has any. */
export function differingStorage(tensors: Iterable<StoredTensor>): StorageCounts | undefined {
  const counts = countStorage(tensors);
  return counts.storages.length > 1 ? counts : undefined;
}

const gap = "  ";

/** Fewest characters of a kind; longer names lose their beginning. */
const leastName = 12;

/**
 * The counts as a table for a terminal, at most 80 columns wide where there are at most ten storages; with its last line break.
 */
export function formatStorage({ storages, kinds }: StorageCounts): string {
  const last = storages.every((storage) => /^\d+$/.test(storage)) ? "bits" : "bits a weight";
  const widths = storages.map((storage) => Math.max(storage.length, 3));
  const right = widths.reduce((sum, width) => sum + gap.length + width, gap.length + last.length);
  const most = Math.max(leastName, 80 - right);
  const shortened = (kind: string): string => (kind.length > most ? `…${kind.slice(kind.length - most + 1)}` : kind);
  const width = Math.max("tensors".length, ...kinds.map(({ kind }) => shortened(kind).length));
  const lineOf = (name: string, cells: readonly string[], bits: string): string =>
    [name.padEnd(width), ...cells.map((cell, index) => cell.padStart(widths[index] ?? 0)), bits.padStart(last.length)].join(gap);
  return [
    lineOf("tensors", storages, last),
    ...kinds.map(({ kind, counts, bits }) =>
      lineOf(
        shortened(kind),
        counts.map((count) => (count === 0 ? "·" : String(count))),
        bits.toFixed(2),
      ),
    ),
    "",
  ].join("\n");
}
