import { at } from "@mbs/contracts";
import type { Blas } from "@mbs/contracts";
import { converted, hasNoBasis, transpose } from "@mbs/models";
import type { ArchitectureModel, StreamNorm, TensorInfo } from "@mbs/models";
import { rotateColumns, rotateRows } from "./change-basis.ts";
import { foldEmbeddingNorm } from "./embedding-norm.ts";
import { foldedBias, normScales } from "./norm-scales.ts";
import type { Rotations } from "./rotations.ts";
import { unchanged, weightChanges } from "./weight-changes.ts";
import type { WeightChange } from "./weight-changes.ts";

/** Values of a table that are read at a time. */
const pieceValues = 4 * 1024 * 1024;

/** A tensor of the rotated model. */
export interface RotatedTensor {
  /** As it is written: float32. */
  readonly info: TensorInfo;
  /** Its name in the source. */
  readonly source: string;
  /** Whether the source has none of this name: a head that was the embedding. */
  readonly isAdded: boolean;
  /** Its values in the order of the file, a whole tensor or rows of a table at a time. */
  readonly values: () => AsyncIterable<Float32Array>;
}

interface Source {
  readonly model: ArchitectureModel;
  readonly rotations: Rotations;
  readonly blas: Blas<Float64Array>;
}

/** Small vectors that follow from norms, by name. */
type Vectors = ReadonlyMap<string, () => Promise<Float32Array>>;

/** A norm behind a rotation multiplies by 1, and adds its bias in the new basis. */
function normVectors({ model, rotations: { stream }, blas }: Source, norm: StreamNorm): [string, () => Promise<Float32Array>][] {
  const { weight, offset, bias } = norm;
  const ones = async (): Promise<Float32Array> => (await model.readWeight(weight)).map(() => 1 - offset);
  if (bias === undefined || stream === undefined) return [[weight, ones]];
  const rotatedBias = async (): Promise<Float32Array> => {
    const values = foldedBias(await model.readWeight(bias), await normScales(model, norm), norm);
    await rotateRows(blas, values, 1, { first: 0, rotation: stream });
    return values;
  };
  return [
    [weight, ones],
    [bias, rotatedBias],
  ];
}

/** Norm weights and biases as they are after the rotation. */
async function vectorsOf(source: Source, norms: readonly StreamNorm[]): Promise<Vectors> {
  const vectors = norms.flatMap((norm) => normVectors(source, norm));
  const { stream } = source.model.layout.bases;
  if (source.rotations.stream === undefined || hasNoBasis(stream) || stream.embeddingNorm === undefined) return new Map(vectors);
  const { weight, bias } = stream.embeddingNorm;
  const folded = await foldEmbeddingNorm(source.model, stream.embeddingNorm);
  const filled = (value: number) => (): Promise<Float32Array> =>
    Promise.resolve(new Float32Array(source.model.hiddenSize).fill(value));
  return new Map([...vectors, [weight, filled(folded.weight)], [bias, filled(0)]]);
}

async function scalesOf(model: ArchitectureModel, { norm }: WeightChange): Promise<Float64Array | undefined> {
  return norm && normScales(model, norm);
}

/** Columns first, as they need no other rows; in place. */
async function change(
  { blas }: Source,
  values: Float32Array,
  width: number,
  { columns, rows }: WeightChange,
  scales: Float64Array | undefined,
): Promise<void> {
  for (const block of columns) await rotateColumns(blas, values, width, block, scales);
  for (const block of rows) await rotateRows(blas, values, width, block);
}

/** A weight whose rows stay apart: an embedding or a head, which may be too large to be read whole. */
async function* tablePieces(source: Source, name: string, given: WeightChange, isNormed: boolean): AsyncGenerator<Float32Array> {
  const { checkpoint, layout, hiddenSize } = source.model;
  const [rows = 0] = checkpoint.info(name).shape;
  const scales = await scalesOf(source.model, given);
  const { stream } = layout.bases;
  const normed = isNormed && !hasNoBasis(stream) && stream.embeddingNorm;
  const folded = normed ? await foldEmbeddingNorm(source.model, normed) : undefined;
  const most = Math.max(1, Math.floor(pieceValues / hiddenSize));
  for (let first = 0; first < rows; first += most) {
    const count = Math.min(most, rows - first);
    const values = await checkpoint.readRowsF32(
      name,
      Array.from({ length: count }, (_, row) => first + row),
    );
    folded?.wanted(values);
    await change(source, values, hiddenSize, given, scales);
    folded?.stored(values);
    yield values;
  }
}

/** Any other tensor, whole. */
async function wholeTensor(source: Source, name: string, given: WeightChange): Promise<Float32Array> {
  const { model } = source;
  const { shape } = model.checkpoint.info(name);
  const isTransposed = model.layout.tensors.some((tensor) => tensor.name === name && tensor.transposed === true);
  // a single number has no sides
  const [rows, width] = isTransposed ? [at(shape, 1), at(shape, 0)] : [shape[0] ?? 1, shape[1] ?? 1];
  const values = (await model.readWeight(name)).slice();
  await change(source, values, width, given, await scalesOf(model, given));
  return isTransposed ? transpose(values, rows) : values;
}

/**
 * All tensors of a rotated model, in the files of its source. A head that was the embedding gets a tensor of its own, in the last
 * file, where the residual stream is rotated. Masks and tables of older checkpoints are left out.
 *
 * @param source blas in float64; values are rounded to float32 at the end
 * @returns file name → tensors
 */
export async function rotatedTensors(source: Source): Promise<ReadonlyMap<string, readonly RotatedTensor[]>> {
  const { model, rotations } = source;
  const { checkpoint, layout } = model;
  const { weights, norms, normedTable } = weightChanges(model, rotations);
  const vectors = await vectorsOf(source, norms);
  const read = new Set(layout.tensors.map(({ name }) => name));
  const tables = new Set([layout.embedding, layout.head]);
  const head = norms.at(-1)?.readers[0];
  const added = head !== undefined && !checkpoint.has(head) ? head : undefined;
  const [prefix = ""] = layout.prefixes;
  // with a head beside them, programs take names without the language model's prefix for those of another model
  const written = (name: string): string =>
    added === undefined || name === head || name.startsWith(prefix) ? name : `${prefix}${name}`;
  const tensor = (info: TensorInfo, name: string): RotatedTensor => ({
    info: { ...converted(info, "f32"), name: written(name) },
    source: name,
    isAdded: name === added,
    values: async function* values() {
      const vector = vectors.get(name);
      const given = weights.get(name) ?? unchanged;
      if (vector !== undefined) yield await vector();
      else if (tables.has(info.name)) yield* tablePieces(source, info.name, given, name === normedTable);
      else yield await wholeTensor(source, info.name, given);
    },
  });
  const files = new Map(
    checkpoint.files.map(({ file, tensors }) => [
      file,
      tensors.filter(({ name }) => read.has(name)).map((info) => tensor(info, info.name)),
    ]),
  );
  const last = [...files.keys()].at(-1);
  if (added !== undefined && last !== undefined) {
    files.set(last, [...(files.get(last) ?? []), tensor(checkpoint.info(layout.embedding), added)]);
  }
  return files;
}
