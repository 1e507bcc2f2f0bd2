import { quantisationTypeNamed } from "@mbs/gguf";
import type { GgufTensor } from "@mbs/gguf";
import type { WeightDtype } from "@mbs/numbers";
import { namesOfLayers } from "./gguf-names.ts";

/** A tensor of a checkpoint as a view of one in a GGUF file. */
export interface DenseTensor {
  /** In the checkpoint. */
  readonly name: string;
  readonly source: GgufTensor;
  readonly shape: readonly number[];
  /** Values of a row of the source: its last dimension unless rows of one value are reordered. */
  readonly columns: number;
  /** Row of the source that the view begins with. */
  readonly firstRow: number;
  /** The row of the source, counted from `firstRow`, that a row of the tensor is; absent where rows keep their order. */
  readonly rowOf?: (row: number) => number;
  /** The column of the source that each column of the tensor is; absent where columns keep their order. */
  readonly columnOf?: Int32Array;
  /** The value that the checkpoint has for one that is stored, where it is another, and the way back. */
  readonly values?: { readonly read: (stored: number) => number; readonly store: (value: number) => number };
  /** True where the source is stored as [columns, rows] of `shape`. */
  readonly transposed?: boolean;
  /** The value of a tensor of one number that the file has in its metadata; `source` is then no tensor of the file. */
  readonly listed?: number;
}

/** The dtype that a tensor has in the checkpoint: its own where values are stored one by one, else float32, which is exact. */
export const dtypeOf = ({ source, values }: DenseTensor): WeightDtype =>
  values === undefined ? (source.type.plain ?? "f32") : "f32";

export const elements = (shape: readonly number[]): number => shape.reduce((product, side) => product * side, 1);

/**
 * Makes tensors of a checkpoint of one in the file.
 *
 * @param name in the checkpoint
 */
export type View = (source: GgufTensor, name: string) => readonly DenseTensor[];

/** A tensor of one number of the metadata. */
export const listedTensor = (name: string, shape: readonly number[], value: number): DenseTensor => ({
  ...whole({ name, type: quantisationTypeNamed("F32"), shape, begin: 0, end: 0 }, name),
  listed: value,
});

const columnsOf = ({ shape }: GgufTensor): number => shape.at(-1) ?? 1;

const whole = (source: GgufTensor, name: string): DenseTensor => ({
  name,
  source,
  shape: source.shape,
  columns: columnsOf(source),
  firstRow: 0,
});

/** The same tensor under another name. */
export const renamed: View = (source, name) => [whole(source, name)];

/** A vector that the checkpoint has as a matrix of one row. */
export const oneRow: View = (source, name) => [{ ...whole(source, name), shape: [1, ...source.shape] }];

/** Norms of Gemma: stored with the 1 that the model adds to them. */
export const lessOne: View = (source, name) => [
  { ...whole(source, name), values: { read: (stored) => stored - 1, store: (value) => value + 1 } },
];

/** A rate whose logarithm the checkpoint has, and the file less than 0. */
export const negativeRate: View = (source, name) => [
  { ...whole(source, name), values: { read: (stored) => Math.log(-stored), store: (value) => -Math.exp(value) } },
];

/** Weights of a convolution by channels: [channels, tokens] in a file, [channels, 1, tokens] in a checkpoint. */
export const convolutionWeight: View = (source, name) => {
  const [channels = 0, ...rest] = source.shape;
  const tokens = rest.at(-1) ?? 1;
  return [{ ...whole(source, name), shape: rest.length === 1 ? [channels, 1, tokens] : [channels, tokens] }];
};

/** A matrix that the checkpoint has with its rows as columns. */
export const transposed: View = (source, name) => {
  const view = whole(source, name);
  return source.shape.length === 2 ? [{ ...view, shape: source.shape.toReversed(), transposed: true }] : [view];
};

/** Seen from a file that is to be written: the rows from `first` on, without those before them. */
export const behind =
  (first: number): View =>
  (source, name) => {
    const [rows = 0, ...rest] = source.shape;
    return [{ ...whole(source, name), shape: [rows - first, ...rest], firstRow: first }];
  };

/** A matrix or a vector whose rows are in another order. @param view what else is of another form */
const reordered =
  (rowsOf: (source: GgufTensor) => (row: number) => number, view: View = renamed): View =>
  (source, name) =>
    view(source, name).map((tensor) => ({
      ...tensor,
      ...(source.shape.length === 1 && { columns: 1 }),
      rowOf: rowsOf(source),
    }));

/**
 * Queries or keys of Llama: the file has the two values of a rotary pair side by side, the checkpoint has the first ones of a
 * head's pairs and then the second ones.
 *
 * @param heads of the queries or of the keys
 */
export const unpaired = (heads: number): View =>
  reordered(({ shape }) => {
    const size = (shape[0] ?? 0) / heads;
    const half = size / 2;
    return (row) => {
      const within = row % size;
      return row - within + (within % half) * 2 + Math.floor(within / half);
    };
  });

/**
 * Query, key and value of BLOOM and GPT-NeoX: the file has all queries, then all keys, then all values, the checkpoint has
 * the three of each head together.
 */
export const interleaved = (heads: number): View =>
  reordered(({ shape }) => {
    const size = (shape[0] ?? 0) / 3 / heads;
    return (row) => {
      const head = Math.floor(row / (3 * size));
      const part = Math.floor(row / size) % 3;
      return (part * heads + head) * size + (row % size);
    };
  });

/** Heads of values of linear attention, of which as many share each head of keys. */
export interface SharedKeys {
  readonly keyHeads: number;
  readonly valueHeads: number;
}

/**
 * The file has the first head of values of each head of keys, then the second of each; the checkpoint has those side by side that
 * share one of keys.
 *
 * @param size elements of a head
 */
const untiled = ({ keyHeads, valueHeads }: SharedKeys, size: number) => {
  const sharing = valueHeads / keyHeads;
  return (element: number): number => {
    const head = Math.floor(element / size);
    return ((head % sharing) * keyHeads + Math.floor(head / sharing)) * size + (element % size);
  };
};

/**
 * A tensor whose rows are those of heads of values.
 *
 * @param before rows that are of no head of values, and come first
 * @param view what else is of another form
 */
export function untiledRows(heads: SharedKeys, size: number, before = 0, view: View = renamed): View {
  if (heads.keyHeads === heads.valueHeads) return view;
  const elementOf = untiled(heads, size);
  return reordered(() => (row) => (row < before ? row : before + elementOf(row - before)), view);
}

/** A matrix whose columns are those of heads of values. */
export function untiledColumns(heads: SharedKeys, size: number): View {
  if (heads.keyHeads === heads.valueHeads) return renamed;
  const elementOf = untiled(heads, size);
  return (source, name) => [
    { ...whole(source, name), columnOf: Int32Array.from({ length: columnsOf(source) }, (_, column) => elementOf(column)) },
  ];
}

/**
 * One matrix, or one vector, an expert of a tensor that has those of all, or one for each of several layers; the name has
 * "{expert}" for its number.
 */
export const ofExperts: View = (source, name) => {
  const [experts = 0, ...shape] = source.shape;
  if (shape.length === 0) return [whole(source, name)];
  const columns = columnsOf(source);
  const layers = namesOfLayers(name);
  const own = shape.map((side, index) => (index === 0 ? side / layers.length : side));
  const rows = elements(own.slice(0, -1));
  return Array.from({ length: experts }, (_, expert) =>
    layers.map((layer, index) => ({
      name: layer.replace("{expert}", String(expert)),
      source,
      shape: own,
      columns,
      firstRow: (expert * layers.length + index) * rows,
    })),
  ).flat();
};
