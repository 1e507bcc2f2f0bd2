import {
  collect,
  encodeAllocation,
  encodeDamage,
  encodeFactors,
  encodeFiles,
  encodeLastStates,
  encodeLayers,
  encodeMixes,
  encodeScores,
  encodeSegments,
  encodeSimilarities,
  encodeStates,
  encodeStatistics,
  encodeStream,
  readAllocation,
  readDamage,
  readFactors,
  readFiles,
  readLastStates,
  readLayers,
  readMixes,
  readScores,
  readSegments,
  readSimilarities,
  readStates,
  readStatistics,
  type ArtifactKind,
  type FactorRecord,
  type FilePiece,
  type DamageRecord,
  type LastStates,
  type LayerRecord,
  type MixRecord,
  type Score,
  type Segment,
  type SimilarityRecord,
  type StateRecord,
  type Statistic,
  type BlockAllocation,
  type TensorAllocation,
  type TensorData,
} from "@mbs/artifacts";
import { at } from "@mbs/contracts";
import type { ArtifactStream, Batch, ColumnValues } from "@mbs/contracts";
import { encodeWeights, packedLength, packedRowStart } from "@mbs/numbers";

const ramp = (length: number, scale = 1): Float32Array => Float32Array.from({ length }, (_, index) => (index % 251) * scale - 7);
/** Mean squares are never negative. */
const squares = (length: number): Float32Array => ramp(length).map(Math.abs);
/** A packed triangle of the given diagonal. */
function triangle(diagonal: Float32Array, beside = 1): Float32Array {
  const width = diagonal.length;
  const packed = ramp(packedLength(width), beside);
  for (const [row, value] of diagonal.entries()) packed[packedRowStart(width, row)] = value;
  return packed;
}

const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => index % 253);

export const segments: readonly Segment[] = [
  { segment: 0, language: "en", documents: 2, tokens: Int32Array.of(5, 6, 7) },
  { segment: 1, language: "मराठी", documents: 1, tokens: Int32Array.of(2 ** 31 - 1, 0) },
];

/** The second gram and the cross-moment have two panels. */
export const statistics: readonly Statistic[] = [
  { block: "h.0", site: "qkv", language: "en", kind: "gram", tokens: 2 ** 40, width: 3, values: squares(6) },
  { block: "h.0", site: "qkv", language: "en", kind: "diagonal", tokens: 2 ** 40, width: 3, values: squares(3) },
  { block: "h.1", site: "mlp", language: "fr", kind: "gram", tokens: 9, width: 1400, values: squares((1400 * 1401) / 2) },
  { block: "h.1", site: "mlp", language: "fr", kind: "cross-moment", tokens: 9, width: 1200, values: ramp(1200 * 1200) },
];

/** The first has three panels. */
export const states: readonly StateRecord[] = [
  { segment: 0, language: "en", stream: "hidden", rows: 2000, width: 1000, values: ramp(2_000_000) },
  { segment: 1, language: "en", stream: "hidden", rows: 2, width: 2, values: ramp(4) },
];

/** The second has two panels. */
export const lastStates: readonly LastStates[] = [
  { language: "en", source: "", window: 0, tokens: "0a".repeat(32), rows: 2, width: 3, values: ramp(6) },
  { language: "मराठी", source: "gnome", window: 7, tokens: "f9".repeat(32), rows: 1000, width: 1000, values: ramp(1_000_000) },
];

const summary = {
  tokens: 12,
  weights: { en: 0.75, fr: 0.25 },
  orderName: "natural",
  requestedDamping: 0.01,
  damping: 0.01,
  precision: "float32",
  retries: 0,
  dead: [],
  factorised: true,
};

export const factors: readonly FactorRecord[] = [
  {
    block: "h.0",
    site: "qkv",
    width: 3,
    summary: { ...summary, dead: [2] },
    order: Int32Array.of(2, 0, 1),
    diagonal: Float32Array.of(7, 6, 0),
    gram: triangle(Float32Array.of(7, 6, 0)),
    upper: triangle(Float32Array.of(0.5, 2, 3), 2),
  },
  {
    block: "h.0",
    site: "mlp",
    width: 2,
    summary: { ...summary, factorised: false },
    order: Int32Array.of(0, 1),
    diagonal: squares(2),
  },
  {
    block: "h.1",
    site: "mlp",
    width: 2,
    summary,
    order: Int32Array.of(1, 0),
    diagonal: squares(2),
    upper: triangle(Float32Array.of(1, 2)),
  },
  {
    block: "h.2",
    site: "mlp",
    width: 2,
    summary,
    order: Int32Array.of(1, 0),
    diagonal: squares(2),
    gram: triangle(squares(2)),
    crossMoment: ramp(4),
    upper: triangle(Float32Array.of(1, 2)),
  },
];

export const allocation: readonly BlockAllocation[] = [
  { block: "h.0", parameters: 2 ** 40, importance: -0.125, sparsity: 0.6 },
  { block: "h.1", parameters: 9, importance: 0, sparsity: 0 },
];

export const bitAllocation: readonly TensorAllocation[] = [
  {
    block: "h.0",
    tensor: "h.0.a.weight",
    parameters: 2 ** 40,
    importance: 0.125,
    grid: { kind: "groups", bits: 3, groupSize: 64, zeroPoints: "any" },
  },
  {
    block: "h.0",
    tensor: "h.0.b.weight",
    parameters: 9,
    importance: 0,
    grid: { kind: "groups", bits: 8, groupSize: 0, zeroPoints: "middle" },
  },
];

/** Two rows of nine columns in groups of five and four, every third weight removed. */
const grid = {
  codes: Uint8Array.from({ length: 18 }, (_, index) => (index * 3) % 8),
  scales: Float32Array.of(0.5, 0.25, 2, 0.125),
  zeros: Uint8Array.of(4, 3, 0, 7),
  groupOf: Int32Array.of(0, 1, 0, 1, 0, 1, 0, 1, 0),
};
const keeps = (index: number): boolean => index % 3 !== 0;
const quantised = Float32Array.from({ length: 18 }, (_, index) => {
  const cell = 2 * Math.floor(index / 9) + at(grid.groupOf, index % 9);
  return keeps(index) ? (at(grid.codes, index) - at(grid.zeros, cell)) * at(grid.scales, cell) : 0;
});
const mask = new Uint8Array(4);
for (const index of quantised.keys()) {
  const byte = 2 * Math.floor(index / 9) + Math.floor((index % 9) / 8);
  if (keeps(index)) mask[byte] = at(mask, byte) | (1 << ((index % 9) % 8));
}

const stored = (dtype: "f32" | "f16" | "bf16", rows: number, values: Float32Array): TensorData => ({
  dtype,
  rows,
  columns: values.length / rows,
  data: encodeWeights(dtype, values),
});
const plain = (dtype: TensorData["dtype"], rows: number, columns: number, values: ArrayBufferView): TensorData => ({
  dtype,
  rows,
  columns,
  data: new Uint8Array(values.buffer as ArrayBuffer, values.byteOffset, values.byteLength),
});

/** The second has two panels. */
/** A byte of a block of Q4_0: d = 2 in half precision, then columns j and j + 16. */
const blockByte = (at: number): number => (at < 2 ? at * 0x40 : 8 + ((at - 2) % 3) + ((8 + ((at + 14) % 3)) << 4));

export const layers: readonly LayerRecord[] = [
  {
    block: "h.0",
    site: "qkv",
    tensor: "a.weight",
    summary: { solver: "gptq", error: 1.5, damage: 0.1, sparsity: 1 / 3, bits: 3, groupSize: 5, symmetric: false },
    values: stored("f16", 2, quantised),
    mask: plain("u1", 2, 9, mask),
    codes: plain("u8", 2, 9, grid.codes),
    scales: plain("f32", 2, 2, grid.scales),
    zeros: plain("u8", 2, 2, grid.zeros),
    groups: plain("i32", 1, 9, grid.groupOf),
  },
  {
    block: "h.0",
    site: "mlp",
    tensor: "b.weight",
    summary: { solver: "wanda", error: 0, damage: 0, sparsity: 0.5, fallback: "magnitude" },
    values: stored("bf16", 2100, ramp(2_100_000)),
  },
  {
    block: "h.0",
    site: "mlp",
    tensor: "c.weight",
    summary: { solver: "awq", error: 0, damage: 0, sparsity: 0 },
    values: stored("f32", 1, Float32Array.of(1.5, -2)),
    inputScale: stored("f32", 1, Float32Array.of(0.5, 3)),
  },
  {
    block: "h.0",
    site: "mlp",
    tensor: "d.weight",
    summary: { solver: "gptq", error: 0, damage: 0, sparsity: 0, grid: "Q4_0" },
    // d = 2, code 8 + column % 3 of each column, in two nibbles a byte
    blocks: plain(
      "u8",
      2,
      18,
      Uint8Array.from({ length: 36 }, (_, index) => blockByte(index % 18)),
    ),
  },
];

/** What the last of them decodes to. */
export const blockValues = Float32Array.from({ length: 64 }, (_, index) => 2 * ((index % 32) % 3));

/** A part that a layer has. */
export function partOf(layer: LayerRecord, name: "values" | "blocks"): TensorData {
  const part = layer[name];
  if (part === undefined) throw new Error(`layer ${layer.tensor} has no ${name}`);
  return part;
}

export const scores: readonly Score[] = [
  { model: "dense", address: "", language: "ta", source: "gnome", window: 3, nll: Math.PI, tokens: 127, bytes: 900 },
  {
    model: "small",
    address: "",
    language: "ta",
    source: "gnome",
    window: 3,
    nll: 4,
    tokens: 3,
    bytes: 20,
    distance: { kl: Float32Array.of(0, 0.5, 0.25), agreed: 2 },
  },
];

export const similarities: readonly SimilarityRecord[] = [
  { block: "h.0", site: "input", measure: "cosine", first: "en", second: "fr", value: 0.25 },
];

export const damage: readonly DamageRecord[] = [
  {
    block: "h.0",
    site: "qkv",
    tensor: "a.weight",
    language: "en",
    moment: "diagonal",
    error: 0.25,
    output: 4,
    damage: 1 / 16,
  },
];

export const mixes: readonly MixRecord[] = [
  { mix: "equal", language: "en", weight: 0.5, loss: 0.02, low: -0.01, high: 0.05 },
  { mix: "worst", language: "मराठी", weight: 0.75, loss: 1 / 3, low: 0.25, high: 0.5 },
];

export const files: readonly FilePiece[] = [
  { path: "config.json", offset: 0, data: bytes(10) },
  { path: "config.json", offset: 10, data: bytes(5) },
  { path: "empty", offset: 0, data: bytes(0) },
];

const metadata = {
  segments: {
    tokenizer: "t",
    corpus: "c",
    distribution: "",
    length: 3,
    seed: 7,
    mix: "equal",
    counts: { en: 1, mr: 1 },
    shortfall: {},
  },
  statistics: { model: "m", tokenizer: "t", propagation: "dense", unit: "E[x xᵀ] a token", mix: { en: 0.5, mr: 0.5 } },
  states: { model: "m", tokenizer: "t", blocks: 2, layers: ["x", "y"] },
  "last-states": {
    model: "m",
    activations: "float32",
    nonfinite: ["a.weight"],
    corpus: "c",
    length: 3,
    bos: "auto",
    options: { bySource: true },
    windows: { en: 1, मराठी: 1 },
    shards: { first: 1, count: 1, of: 2 },
  },
  factors: { model: "m", weights: { en: 1 }, damping: 0.01, order: "natural" },
  allocation: { model: "m", method: "owl", options: { spread: 0.08, outlier: 5 }, sparsity: 0.6, weights: { en: 1 } },
  layers: { model: "m", solver: "gptq", options: { bits: 3, nested: { b: 1, a: [2] } }, order: "natural", weights: {} },
  scores: { corpus: "c", length: 128, bos: "off", shares: undefined, models: { dense: { bytes: 8 } } },
  similarity: { model: "m" },
  damage: { model: "m", solver: "gptq", scored: "small", lossRises: { en: 0.1 } },
  mixes: {
    model: "m",
    dense: "d",
    measured: { en: 0.25, मराठी: 0.75 },
    exponent: 0.15,
    recommended: "equal",
    power: 4,
    importance: { en: 3 },
  },
  files: { model: "m" },
} as const;

interface Sample {
  readonly records: readonly object[];
  readonly metadata: object;
  readonly encode: () => ArtifactStream;
  readonly read: (stream: ArtifactStream) => AsyncIterable<object>;
}

/** One artifact of each kind, with its codec. */
export const samples: Readonly<Record<ArtifactKind, Sample>> = {
  segments: {
    records: segments,
    metadata: metadata.segments,
    encode: () => encodeSegments(segments, metadata.segments),
    read: readSegments,
  },
  statistics: {
    records: statistics,
    metadata: metadata.statistics,
    encode: () => encodeStatistics(statistics, metadata.statistics),
    read: readStatistics,
  },
  states: { records: states, metadata: metadata.states, encode: () => encodeStates(states, metadata.states), read: readStates },
  "last-states": {
    records: lastStates,
    metadata: metadata["last-states"],
    encode: () => encodeLastStates(lastStates, metadata["last-states"]),
    read: readLastStates,
  },
  factors: {
    records: factors,
    metadata: metadata.factors,
    encode: () => encodeFactors(factors, metadata.factors),
    read: readFactors,
  },
  allocation: {
    records: allocation,
    metadata: metadata.allocation,
    encode: () => encodeAllocation(allocation, metadata.allocation),
    read: readAllocation,
  },
  layers: { records: layers, metadata: metadata.layers, encode: () => encodeLayers(layers, metadata.layers), read: readLayers },
  scores: { records: scores, metadata: metadata.scores, encode: () => encodeScores(scores, metadata.scores), read: readScores },
  similarity: {
    records: similarities,
    metadata: metadata.similarity,
    encode: () => encodeSimilarities(similarities, metadata.similarity),
    read: readSimilarities,
  },
  damage: { records: damage, metadata: metadata.damage, encode: () => encodeDamage(damage, metadata.damage), read: readDamage },
  mixes: { records: mixes, metadata: metadata.mixes, encode: () => encodeMixes(mixes, metadata.mixes), read: readMixes },
  files: { records: files, metadata: metadata.files, encode: () => encodeFiles(files, metadata.files), read: readFiles },
};

export const encodeWhole = async (stream: ArtifactStream): Promise<Buffer> =>
  Buffer.concat(await collect(encodeStream(stream).bytes));

/** Chunks of one size. */
export async function* inChunks(whole: Uint8Array, size = whole.length): AsyncGenerator<Uint8Array> {
  for (let position = 0; position < whole.length; position += size) yield whole.subarray(position, position + size);
}

/** The same rows, cut into other batches: `sizes` in turn. */
export async function rebatch(stream: ArtifactStream, sizes: readonly number[]): Promise<ArtifactStream> {
  const rows: Batch[] = [];
  for await (const { rows: count, columns } of stream.batches) {
    for (let row = 0; row < count; row++) rows.push(slice(columns, row));
  }
  async function* batches(): AsyncGenerator<Batch> {
    for (let position = 0, turn = 0; position < rows.length; turn++) {
      const size = at(sizes, turn % sizes.length);
      yield join(rows.slice(position, position + size));
      position += size;
    }
  }
  return { schema: stream.schema, batches: batches() };
}

type AnyColumn = NonNullable<Batch["columns"][string]>;

const slice = (columns: Batch["columns"], row: number): Batch => ({
  rows: 1,
  columns: Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values.slice(row, row + 1)])),
});

function joinColumn(parts: readonly AnyColumn[]): AnyColumn {
  const first = at(parts, 0);
  if (first instanceof Int32Array) return Int32Array.from((parts as Int32Array[]).flatMap((part) => [...part]));
  if (first instanceof Float64Array) return Float64Array.from((parts as Float64Array[]).flatMap((part) => [...part]));
  return (parts as ColumnValues["utf8"][]).flat();
}

function columnOf(columns: Batch["columns"], name: string): AnyColumn {
  const column = columns[name];
  if (column === undefined) throw new Error(`no column ${name}`);
  return column;
}

const join = (batches: readonly Batch[]): Batch => ({
  rows: batches.reduce((sum, { rows }) => sum + rows, 0),
  columns: Object.fromEntries(
    Object.keys(at(batches, 0).columns).map((name) => [name, joinColumn(batches.map(({ columns }) => columnOf(columns, name)))]),
  ),
});

/** Resolves to the error that something throws. */
export async function errorOf(work: () => unknown): Promise<Error> {
  try {
    await work();
  } catch (cause) {
    return cause as Error;
  }
  throw new Error("nothing was thrown");
}
