import {
  collect,
  decodeStream,
  encodeAllocation,
  encodeBitAllocation,
  encodeDamage,
  encodeFactors,
  encodeLastStates,
  encodeLayers,
  encodeMixes,
  encodeScores,
  encodeSegments,
  encodeSimilarities,
  encodeStates,
  encodeStatistics,
  parseMetadata,
  readAllocation,
  readBitAllocation,
  readLayers,
  type AllocationMetadata,
  type ArtifactKind,
  type DamageMetadata,
  type FactorRecord,
  type FactorsMetadata,
  type FactorSummary,
  type DamageRecord,
  type LastStates,
  type LastStatesMetadata,
  type LayerRecord,
  type LayersMetadata,
  type LayerSummary,
  type MixesMetadata,
  type MixRecord,
  type Score,
  type ScoresMetadata,
  type Segment,
  type SegmentsMetadata,
  type SimilarityRecord,
  type StateRecord,
  type StatesMetadata,
  type Statistic,
  type StatisticsMetadata,
  type BlockAllocation,
  type TensorAllocation,
  type TensorData,
} from "@mbs/artifacts";
import { at, BadDataError, FailedPreconditionError, InternalError, type GroupGrid, type ZeroPoints } from "@mbs/contracts";
import { encodeWeights } from "@mbs/numbers";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  allocation,
  bitAllocation,
  encodeWhole,
  errorOf,
  damage,
  factors,
  inChunks,
  lastStates,
  layers,
  mixes,
  rebatch,
  partOf,
  samples,
  scores,
  segments,
  similarities,
  states,
  statistics,
} from "./samples.ts";

/** Artifacts with hashes that are right and invalid content: each is refused where it is read, with its row and column. */
const test = suite("impossible content");

/** What reading the bytes of an artifact says. */
async function readingSays(kind: ArtifactKind, stream: ReturnType<typeof encodeStates>): Promise<string> {
  const bytes = await encodeWhole(stream);
  const error = await errorOf(async () => collect(samples[kind].read(await decodeStream(inChunks(bytes)))));
  assert.instance(error, BadDataError, `${kind}: ${error.message}`);
  return error.message;
}

/** A case: what is changed, and what is said of it. */
type Case<T> = readonly [change: Partial<T>, message: RegExp];

function cases<T>(
  kind: ArtifactKind,
  record: T,
  encode: (record: T) => ReturnType<typeof encodeStates>,
  list: readonly Case<T>[],
) {
  test(`${kind}: ${list.length} invalid contents are refused, with their position and the remedy`, async () => {
    for (const [change, message] of list) {
      const said = await readingSays(kind, encode({ ...record, ...change }));
      assert.match(said, message);
      assert.match(said, /; (sample|propagate|capture|factor|allocate|compress|evaluate|predict|make it|make them) again$/);
    }
  });
}

/** A copy with one value changed. */
const changed = <T extends Float32Array | Int32Array | Uint8Array>(values: T, position: number, value: number): T => {
  const copy = values.slice() as T;
  copy[position] = value;
  return copy;
};

cases<Segment>("segments", at(segments, 0), (record) => encodeSegments([record], samples.segments.metadata as SegmentsMetadata), [
  [{ tokens: Int32Array.of(5, -6, 7) }, /^segments: segment 0 of en: token -6 at position 1 is below 0;/],
  [{ tokens: new Int32Array(0) }, /segment 0 of en: it has no tokens;/],
  [{ tokens: Int32Array.of(1, 2, 3, 4) }, /it has 4 tokens where segments have 3;/],
  [{ target: Int32Array.of(1, 2, 3, 4, 5) }, /it has 5 tokens where segments have 4;/],
  [{ target: Int32Array.of(2) }, /its target has a beginning and no token;/],
  [{ target: Int32Array.of(2, -7) }, /token -7 at position 1 is below 0;/],
  [{ segment: -1 }, /segment -1 of en: segment is -1, not a finite number of at least 0;/],
  [{ documents: 0 }, /documents is 0, not a finite number of at least 1;/],
]);

const gram = at(statistics, 0);
const cross: Statistic = { ...gram, kind: "cross-moment", values: new Float32Array(9) };
const toStatistics = (record: Statistic) => encodeStatistics([record], samples.statistics.metadata as StatisticsMetadata);
cases<Statistic>("statistics", gram, toStatistics, [
  [{ tokens: 0 }, /^gram of h\.0 qkv en: it is a mean over 0 tokens;/],
  // packed, width 3: the diagonal stands at 0, 3 and 5
  [{ values: changed(gram.values, 3, -1) }, /the mean square of channel 1 is -1, not finite and at least 0;/],
  [{ values: changed(gram.values, 4, NaN) }, /^gram of h\.0 qkv en: NaN at row 1, column 2;/],
  [{ values: changed(gram.values, 2, -Infinity) }, /-Infinity at row 0, column 2;/],
  [{ ...cross, values: changed(cross.values, 5, Infinity) }, /^cross-moment of h\.0 qkv en: Infinity at row 1, column 2;/],
  [{ kind: "diagonal", values: Float32Array.of(1, 2, NaN) }, /^diagonal of h\.0 qkv en: the mean square of channel 2 is NaN/],
]);

const toStates = (record: StateRecord) => encodeStates([record], samples.states.metadata as StatesMetadata);
cases<StateRecord>("states", at(states, 1), toStates, [
  [
    { values: changed(at(states, 1).values, 2, NaN) },
    /^states hidden of segment 1 of en after 2 blocks: NaN at row 1, column 0;/,
  ],
  [
    { stream: "encoder", values: changed(at(states, 1).values, 1, -Infinity) },
    /^states encoder of .*: -Infinity at row 0, column 1;/,
  ],
]);

const ended = at(lastStates, 1);
const toLastStates = (record: LastStates) => encodeLastStates([record], samples["last-states"].metadata as LastStatesMetadata);
cases<LastStates>("last-states", ended, toLastStates, [
  [{ values: changed(ended.values, 999_001, NaN) }, /^last states of window 7 of मराठी: NaN at row 999, column 1;/],
  [{ window: -1 }, /^last states of window -1 of मराठी: its number is below 0, or its tokens are no SHA-256;/],
  [{ tokens: "f9" }, /its tokens are no SHA-256;/],
]);

test("last states: panels of two windows are not joined", async () => {
  const rows = await collect((await rebatch(samples["last-states"].encode(), [1])).batches);
  const columns = { ...at(rows, 2).columns, window: Int32Array.of(8) };
  const { schema } = samples["last-states"].encode();
  const batches = (async function* () {
    yield* [at(rows, 1), { rows: 1, columns }];
  })();
  const error = await errorOf(async () => collect(samples["last-states"].read({ schema, batches })));
  assert.match(
    error.message,
    /^last states of window 7 of मराठी: the next row is of last states of window 8 of मराठी before all/,
  );
});

test("states: a NaN in a later panel is found, and panels of two languages are not joined", async () => {
  const large = { ...at(states, 0), values: changed(at(states, 0).values, 1_999_999, NaN) };
  assert.match(await readingSays("states", toStates(large)), /segment 0 .*: NaN at row 1999, column 999;/);
  const { schema, batches } = toStates(at(states, 0));
  const all = await collect(batches);
  const mixed = all.map((batch, index) => (index === 0 ? batch : { ...batch, columns: { ...batch.columns, language: ["fr"] } }));
  const stream = {
    schema,
    batches: (async function* () {
      yield* mixed;
    })(),
  };
  assert.match(await readingSays("states", stream), /the next row belongs to segment 0 before all panels were there/);
});

const factor = at(factors, 0);
const summaryOf = (change: Partial<FactorSummary>): Partial<FactorRecord> => ({ summary: { ...factor.summary, ...change } });
const upper = factor.upper ?? new Float32Array(0);
const factorGram = factor.gram ?? new Float32Array(0);
const toFactors = (record: FactorRecord) => encodeFactors([record], samples.factors.metadata as FactorsMetadata);
cases<FactorRecord>("factors", factor, toFactors, [
  [{ upper: changed(upper, 1, NaN) }, /^upper of the factor of h\.0 qkv: NaN at row 0, column 1;/],
  [{ upper: changed(upper, 3, 0) }, /^factor of h\.0 qkv: its upper has 0 at row 1, column 1, where it is above 0;/],
  [{ upper: changed(upper, 5, -2) }, /its upper has -2 at row 2, column 2/],
  [{ gram: changed(factorGram, 1, Infinity) }, /^gram of the factor of h\.0 qkv: Infinity at row 0, column 1;/],
  [{ gram: changed(factorGram, 3, 5) }, /its gram and its diagonal differ at channel 1;/],
  [{ diagonal: Float32Array.of(7, NaN, 0) }, /^diagonal of the factor of h\.0 qkv: the mean square of channel 1 is NaN/],
  [{ diagonal: Float32Array.of(-7, 6, 0) }, /the mean square of channel 0 is -7/],
  [{ crossMoment: changed(new Float32Array(9), 7, NaN) }, /^cross-moment of the factor of h\.0 qkv: NaN at row 2, column 1;/],
  [
    {
      languageDiagonals: [
        { language: "en", values: Float32Array.of(1, 2, 3) },
        { language: "fr", values: Float32Array.of(1, -2, 3) },
      ],
    },
    /^diagonal of fr of the factor of h\.0 qkv: the mean square of channel 1 is -2/,
  ],
  [{ order: Int32Array.of(0, 1, 3) }, /the order is no permutation at position 2/],
  [{ order: Int32Array.of(-1, 1, 2) }, /the order is no permutation at position 0/],
  [summaryOf({ tokens: 0 }), /it is of no tokens;/],
  [summaryOf({ weights: { en: 0.5, fr: 0.25 } }), /the weights of its languages sum to 0\.75, not to 1;/],
  [summaryOf({ damping: 0.001 }), /its damping 0\.001 is below the requested 0\.01;/],
  [summaryOf({ precision: "float16" }), /its precision "float16" is none of float32, float64;/],
  [summaryOf({ dead: [3] }), /its dead channel 3 is beyond its 3 channels;/],
  [summaryOf({ dead: [1] }), /its dead channel 1 has the mean square 6;/],
  [summaryOf({ fallback: "rtn" }), /it has a factor and a fallback for one that is missing;/],
  [summaryOf({ starved: "dense" }), /its treatment "dense" is unknown;/],
  [summaryOf({ tokens: 9, reached: 10 }), /10 of its 9 tokens reached it;/],
]);

test("factors: an invalid summary is refused with its field", async () => {
  const { schema, batches } = toFactors(factor);
  const batch = at(await collect(batches), 0);
  const info = batch.columns["info"] as string[];
  const says = async (change: object): Promise<string> => {
    const first = JSON.stringify({ ...factor.summary, ...change }).replace('"nested"', "[".repeat(9000) + "]".repeat(9000));
    const columns = { ...batch.columns, info: [first, ...info.slice(1)] };
    return readingSays("factors", {
      schema,
      batches: (async function* () {
        yield { ...batch, columns };
      })(),
    });
  };
  for (const [change, message] of [
    [{ tokens: -5 }, /tokens of the summary is -5, not a whole number of at least 0; factor again$/],
    [{ weights: { en: -1, fr: 2 } }, /weights of the summary is .*, not numbers of at least 0 by name;/],
    [{ requestedDamping: -1 }, /requestedDamping of the summary is -1,/],
    [{ retries: 1.5 }, /retries of the summary is 1\.5,/],
    [{ dead: [-1] }, /dead of the summary is \[-1\],/],
    [{ factorised: undefined }, /factorised of the summary is missing,/],
    [{ dead: "nested" }, /the summary is no JSON object of at most 100 levels; factor again$/],
    [{ unknown: "nested" }, /the summary is no JSON object of at most 100 levels;/],
  ] as const)
    assert.match(await says(change), message);
});

const layer = at(layers, 0);
const part = (name: "values" | "mask" | "codes" | "scales" | "zeros" | "groups"): TensorData =>
  layer[name] ?? partOf(layer, "values");
const withData = (name: Parameters<typeof part>[0], data: Uint8Array): Partial<LayerRecord> => ({
  [name]: { ...part(name), data },
});
const asBytes = (values: Float32Array | Int32Array): Uint8Array => new Uint8Array(values.buffer.slice(0) as ArrayBuffer);
const layerSummary = (change: Partial<LayerSummary>): Partial<LayerRecord> => ({ summary: { ...layer.summary, ...change } });
const half = (value: number): Uint8Array => encodeWeights("f16", Float32Array.of(value));
/** The values with another at one position. */
function valuesWith(position: number, value: number): Partial<LayerRecord> {
  const data = part("values").data.slice();
  data.set(half(value), 2 * position);
  return withData("values", data);
}
const scaled: LayerRecord = at(layers, 2);
const scaledValues = partOf(scaled, "values");
const toLayers = (record: LayerRecord) => encodeLayers([record], samples.layers.metadata as LayersMetadata);
cases<LayerRecord>("layers", layer, toLayers, [
  [valuesWith(10, NaN), /^layer a\.weight: its values hold NaN at row 1, column 1;/],
  [valuesWith(17, Infinity), /its values hold Infinity at row 1, column 8;/],
  [valuesWith(3, 1), /its values hold 1 at row 0, column 3, which its mask removes;/],
  [valuesWith(4, 0.125), /its values hold 0\.125 at row 0, column 4, its codes say 0;/],
  [withData("mask", changed(part("mask").data, 0, 0)), /its mask removes 0\.\d+ of its values, its summary says 0\.3+;/],
  [withData("mask", changed(part("mask").data, 1, 0b11)), /its mask keeps columns beyond 9 in row 0;/],
  [{ mask: { ...part("mask"), columns: 10 } }, /its mask are u1 \[2, 10\], not u1 \[2, 9\];/],
  [withData("codes", changed(part("codes").data, 11, 8)), /its codes hold 8 at row 1, column 2, which 3 bits do not;/],
  [withData("zeros", changed(part("zeros").data, 3, 9)), /its zeros hold 9 at row 1, column 1, which 3 bits do not;/],
  [withData("scales", asBytes(Float32Array.of(0.5, 0, 2, 1))), /its scales hold 0 at row 0, column 1, not finite and above 0;/],
  [withData("scales", asBytes(Float32Array.of(0.5, 1, -2, 1))), /its scales hold -2 at row 1, column 0/],
  [withData("scales", asBytes(Float32Array.of(0.5, 1, 2, NaN))), /its scales hold NaN at row 1, column 1/],
  [withData("groups", asBytes(Int32Array.of(0, 1, 0, 2, 0, 1, 0, 1, 0))), /its groups put column 3 in group 2 of 2;/],
  [withData("groups", asBytes(Int32Array.of(0, 1, 0, -1, 0, 1, 0, 1, 0))), /its groups put column 3 in group -1 of 2;/],
  [
    withData("groups", asBytes(Int32Array.of(0, 1, 0, 0, 0, 0, 0, 1, 0))),
    /its groups put column 6 beyond the size of group 0, 5;/,
  ],
  [{ scales: undefined }, /its scales are absent, not f32 \[2, 2\];/],
  [{ codes: { ...part("codes"), rows: 1, data: new Uint8Array(9) } }, /its codes are u8 \[1, 9\], not u8 \[2, 9\];/],
  [layerSummary({ bits: undefined }), /its summary does not say all of bits, groupSize and symmetric;/],
  [layerSummary({ bits: 9 }), /its codes are of 9 bits, not of 1 to 8;/],
  [layerSummary({ bits: 0 }), /its codes are of 0 bits/],
  [layerSummary({ groupSize: 0 }), /its groups are of 0 columns, not of 1 to 9;/],
  [layerSummary({ groupSize: 10 }), /its groups are of 10 columns, not of 1 to 9;/],
  [layerSummary({ moment: "trace" as "diagonal" }), /its moment "trace" is not diagonal or identity;/],
  [layerSummary({ groupSize: 3 }), /its scales are f32 \[2, 2\], not f32 \[2, 3\];/],
]);
cases<LayerRecord>("layers", scaled, toLayers, [
  [{ values: { ...scaledValues, dtype: "i32" } }, /^layer c\.weight: values of dtype i32, f32, f16 or bf16 expected;/],
  [{ inputScale: { ...scaledValues, data: asBytes(Float32Array.of(1, 0)) } }, /its input-scale hold 0 at row 0, column 1/],
  [{ inputScale: { ...scaledValues, data: asBytes(Float32Array.of(-1, 1)) } }, /its input-scale hold -1 at row 0, column 0/],
  [
    { inputScale: { dtype: "f32", rows: 1, columns: 1, data: new Uint8Array(4) } },
    /its input-scale are f32 \[1, 1\], not f32 \[1, 2\];/,
  ],
]);

const blocked: LayerRecord = at(layers, 3);
const blocks = partOf(blocked, "blocks");
const inOrder = (columns: readonly number[]): Partial<LayerRecord> => ({
  blockColumns: { dtype: "i32", rows: 1, columns: columns.length, data: asBytes(Int32Array.from(columns)) },
});
const turnedBy = (places: number) => inOrder(Array.from({ length: 32 }, (_, place) => (place + places) % 32));
const blockedSummary = (grid: string | undefined): Partial<LayerRecord> => ({ summary: { ...blocked.summary, grid } });
cases<LayerRecord>("layers", blocked, toLayers, [
  [blockedSummary(undefined), /^layer d\.weight: it has blocks, and its summary names no grid;/],
  [blockedSummary("Q9_Z"), /its grid "Q9_Z" is none of Q8_0, /],
  [blockedSummary("Q4_K"), /its blocks are u8 \[2, 18\], no rows of whole blocks of Q4_K;/],
  [{ blocks: { ...blocks, dtype: "f16", columns: 9 } }, /its blocks are f16 \[2, 9\], no rows of whole blocks of Q4_0;/],
  [{ blocks: undefined, values: scaledValues }, /its summary names the grid "Q4_0", and it has no blocks;/],
  // a scale that is infinite in half precision: the first of its codes stands for 0
  [{ blocks: { ...blocks, data: changed(blocks.data, 19, 0x7c) } }, /its values hold NaN at row 1, column 0;/],
  [
    { ...turnedBy(1), blocks: { ...blocks, data: changed(blocks.data, 19, 0x7c) } },
    /its values hold Infinity at row 1, column 0;/,
  ],
  [inOrder([0, 1]), /its block-columns are i32 \[1, 2\], not i32 \[1, 32\];/],
  [inOrder(Array<number>(32).fill(0)), /its block-columns are not the columns 0 to 31, each once;/],
  [
    { ...turnedBy(1), ...blockedSummary(undefined), blocks: undefined, values: scaledValues },
    /it has block-columns and no blocks;/,
  ],
]);

test("layers: of values and blocks each has one, or is not written", async () => {
  for (const change of [{ values: scaledValues }, { blocks: undefined }]) {
    const error = await errorOf(async () => collect(toLayers({ ...blocked, ...change }).batches));
    assert.instance(error, InternalError);
    assert.is(error.message, "layer d.weight: either values or blocks say what is written");
  }
});

test("layers: those of the version that had the values of blocks beside them are refused", async () => {
  const { schema, batches } = toLayers(blocked);
  const error = await errorOf(async () => collect(readLayers({ schema: { ...schema, version: 3 }, batches })));
  assert.instance(error, FailedPreconditionError);
  assert.match(
    error.message,
    /^layers artifact has version 3, version 4 is supported: write the artifact again with this program$/,
  );
});

test("layers: a NaN far down in a large weight is found", async () => {
  const large = at(layers, 1);
  const values = partOf(large, "values");
  const data = values.data.slice();
  data.set(encodeWeights("bf16", Float32Array.of(NaN)), data.length - 2);
  assert.match(
    await readingSays("layers", toLayers({ ...large, values: { ...values, data } })),
    /^layer b\.weight: its values hold NaN at row 2099, column 999; compress again$/,
  );
});

const toAllocation = (record: BlockAllocation) =>
  encodeAllocation([record, at(allocation, 1)], samples.allocation.metadata as AllocationMetadata);
cases<BlockAllocation>("allocation", at(allocation, 0), toAllocation, [
  [{ parameters: 0 }, /^allocation: block h\.0: parameters is 0/],
  [{ importance: NaN }, /importance is NaN, not a finite number;/],
  [{ sparsity: -0.1 }, /sparsity is -0\.1, not a finite number of at least 0;/],
  [{ sparsity: 1.5 }, /sparsity is 1\.5, above 0\.999;/],
  [{ sparsity: 1 }, /sparsity is 1, above 0\.999;/],
  [{ tensor: "h.0.a.weight" }, /^allocation: block h\.1 comes among rows of tensors;/],
  [{ sparsity: 0.7 }, /^allocation: its blocks lose 0\.6\d+ of all weights, not 0\.6;/],
  [{ block: "h.1" }, /^allocation: block h\.1 comes twice;/],
]);

const bitMetadata = { ...(samples.allocation.metadata as AllocationMetadata), sparsity: 0, bitsPerWeight: 3.5 };
const typeMetadata = { ...bitMetadata, bitsPerWeight: 4.5 };
const types: readonly TensorAllocation[] = bitAllocation.map((row) => ({ ...row, grid: { kind: "blocks", type: "Q4_K" } }));
test("grids of groups come back as they were written", async () => {
  const stream = encodeBitAllocation(bitAllocation, bitMetadata);
  assert.equal(parseMetadata("allocation", stream.schema), bitMetadata);
  assert.equal(await collect(readBitAllocation(stream)), bitAllocation);
});
test("types of tensors come back as they were written, and a former version is refused", async () => {
  assert.equal(await collect(readBitAllocation(encodeBitAllocation(types, typeMetadata))), types);
  const { schema, batches } = encodeBitAllocation(bitAllocation, bitMetadata);
  const former = { schema: { ...schema, version: 4 }, batches };
  assert.match(
    (await errorOf(async () => collect(readBitAllocation(former)))).message,
    /^allocation artifact has version 4, version 5 is supported: write the artifact again with this program$/,
  );
});

const groups = { kind: "groups", bits: 3, groupSize: 64, zeroPoints: "any" } as const;

/** What reading tensors says, whose first is changed. */
const bitsSay = async (rows: readonly TensorAllocation[], change: Partial<TensorAllocation>, metadata: AllocationMetadata) =>
  (
    await errorOf(async () =>
      collect(readBitAllocation(encodeBitAllocation([{ ...at(rows, 0), ...change }, ...rows.slice(1)], metadata))),
    )
  ).message;
for (const [change, pattern] of [
  [{ parameters: 0 }, /^allocation: tensor h\.0\.a\.weight of h\.0: parameters is 0/],
  [{ importance: -1 }, /importance is -1, not a finite number of at least 0;/],
  [{ grid: { ...groups, bits: 1 } }, /bits is 1, outside 2 to 8;/],
  [{ grid: { ...groups, bits: 9 } }, /bits is 9, outside 2 to 8;/],
  [{ grid: { ...groups, bits: 4 } }, /^allocation: its bits take 4\.\d+ bits a weight, not 3\.5; allocate again$/],
  [{ grid: { ...groups, zeroPoints: "low" as ZeroPoints } }, /zeroPoints is "low", not one of middle, from-one, any;/],
  [{ grid: { ...groups, groupSize: -1 } }, /groupSize is -1/],
  [{ grid: { ...groups, type: "Q4_K" } as GroupGrid }, /it has groups of 3 bits and the type Q4_K;/],
  [{ grid: { kind: "blocks", type: "Q4_K" } }, /tensor h\.0\.b\.weight of h\.0 has bits, others have types; allocate again$/],
  [{ tensor: "" }, /it names no tensor;/],
  [{ tensor: "h.0.b.weight" }, /^allocation: tensor h\.0\.b\.weight comes twice;/],
] as const) {
  test(`bits of a tensor with ${JSON.stringify(change)} are refused`, async () => {
    assert.match(await bitsSay(bitAllocation, change, bitMetadata), pattern);
  });
}
test("types that nothing is rounded to, another size and an unknown type mix are refused", async () => {
  for (const type of ["FOO", "q4_k", "__proto__", "Q8_1", "IQ1_S", "F16", "F32"]) {
    const message = await bitsSay(types, { grid: { kind: "blocks", type } }, typeMetadata);
    const start = `allocation: tensor h.0.a.weight of h.0: type is "${type}", not one of Q8_0, `;
    assert.ok(message.startsWith(start) && message.endsWith("; allocate again"), message);
  }
  assert.match(await bitsSay(types, {}, { ...typeMetadata, bitsPerWeight: 99 }), /its types take 4\.5 bits a weight, not 99;/);
  for (const typeMix of ["NOPE", 7]) {
    const options = { ...typeMetadata.options, typeMix };
    const message = await bitsSay(types, {}, { ...typeMetadata, options });
    assert.ok(message.startsWith(`allocation: type mix is ${JSON.stringify(typeMix)}, not one of IQ2_XXS, `), message);
  }
});
test("rows of the other kind of allocation are refused", async () => {
  const metadata = samples.allocation.metadata as AllocationMetadata;
  const { batches } = encodeBitAllocation(types, typeMetadata);
  const { schema } = encodeAllocation(allocation, metadata);
  assert.match(
    (await errorOf(async () => collect(readAllocation({ schema, batches })))).message,
    /it has the type "Q4_K" and a sparsity; allocate again$/,
  );
  const sparse = encodeAllocation(
    allocation.map((row, index) => ({ ...row, tensor: `h.${index}.weight`, importance: 0 })),
    metadata,
  );
  const { schema: ofBits } = encodeBitAllocation(bitAllocation, bitMetadata);
  assert.match(
    (await errorOf(async () => collect(readBitAllocation({ schema: ofBits, batches: sparse.batches })))).message,
    /it has the sparsity 0\.6 beside bits or a type; allocate again$/,
  );
});
test("an allocation of bits is not read as one of sparsity, nor the reverse", () => {
  assert.throws(
    () => readAllocation(encodeBitAllocation(bitAllocation, bitMetadata)),
    /has the bits of tensors, not the sparsity of blocks/,
  );
  assert.throws(
    () => readBitAllocation(toAllocation(at(allocation, 0))),
    /has the sparsity of blocks or tensors, not the bits of tensors/,
  );
});

cases<Score>("scores", at(scores, 0), (record) => encodeScores([record], samples.scores.metadata as ScoresMetadata), [
  [{ window: -1 }, /^scores: window -1 of ta by dense: window is -1/],
  [{ nll: NaN }, /nll is NaN/],
  [{ tokens: 0 }, /tokens is 0/],
  [{ bytes: -1 }, /bytes is -1/],
  [{ tokens: 3, distance: { kl: Float32Array.of(0.5, 1), agreed: 1 } }, /kl has 2 values for 3 tokens; evaluate again$/],
  [{ tokens: 1, distance: { kl: Float32Array.of(NaN), agreed: 1 } }, /kl has NaN, not a finite number of at least 0;/],
  [{ tokens: 1, distance: { kl: Float32Array.of(-1), agreed: 1 } }, /kl has -1, not/],
  [{ tokens: 1, distance: { kl: Float32Array.of(1), agreed: 2 } }, /agreed is 2 of 1 tokens;/],
  [{ tokens: 1, distance: { kl: Float32Array.of(1), agreed: -1 } }, /agreed is -1/],
]);

const toSimilarities = (record: SimilarityRecord) => encodeSimilarities([record], { model: "m" });
cases<SimilarityRecord>("similarity", at(similarities, 0), toSimilarities, [
  [{ value: NaN }, /^similarity: cosine of en and fr at h\.0 input: value is NaN, not a finite number;/],
  [{ value: -0.5 }, /value is -0\.5, not from 0 to 1;/],
  [{ measure: "degrees", value: 91 }, /value is 91, not from 0 to 90;/],
  [{ measure: "euclidean", value: -1 }, /value is -1, not from 0 to Infinity;/],
  [{ measure: "subspace:16", value: 2 }, /value is 2, not from 0 to 1;/],
  [{ measure: "gram", value: 1.01 }, /value is 1\.01/],
  [{ measure: "subspace:0" }, /its measure is none of cosine, degrees, euclidean, gram, subspace;/],
  [{ second: "en" }, /its languages are not two different ones in the order of their codes;/],
]);

cases<DamageRecord>("damage", at(damage, 0), (record) => encodeDamage([record], samples.damage.metadata as DamageMetadata), [
  [{ error: -1 }, /^damage: en in a\.weight: error is -1/],
  [{ output: Infinity }, /output is Infinity/],
  [{ damage: 0.5 }, /damage is 0\.5, where error 0\.25 and output 4 make 0\.0625;/],
  [{ output: 0 }, /damage is 0\.0625, where error 0\.25 and output 0 make 0;/],
]);

cases<MixRecord>("mixes", at(mixes, 0), (record) => encodeMixes([record], samples.mixes.metadata as MixesMetadata), [
  [{ weight: -1 }, /^mixes: en in mix equal: weight is -1/],
  [{ loss: NaN }, /loss is NaN/],
  [{ low: -Infinity }, /low is -Infinity/],
]);

test("metadata: invalid numbers are refused before the first record", async () => {
  const list: readonly (readonly [ArtifactKind, string, string])[] = [
    ["segments", "length", "-1"],
    ["segments", "counts", '{"en":-1}'],
    ["segments", "shortfall", '{"en":0.5}'],
    ["statistics", "mix", '{"en":-1,"fr":2}'],
    ["statistics", "mix", '{"en":1e13}'],
    ["states", "blocks", "-2"],
    ["factors", "weights", '{"en":-1}'],
    ["factors", "damping", "-0.5"],
    ["allocation", "sparsity", "1.5"],
    ["allocation", "weights", '{"en":null}'],
    ["layers", "weights", '{"en":"1"}'],
    ["scores", "length", "0.5"],
    ["mixes", "exponent", "-1"],
    ["mixes", "importance", '{"en":-1}'],
  ];
  for (const [kind, name, text] of list) {
    const { schema, batches } = samples[kind].encode();
    const said = await readingSays(kind, { schema: { ...schema, metadata: { ...schema.metadata, [name]: text } }, batches });
    assert.match(said, new RegExp(`^${kind} artifact: metadata "${name}" is no .*; write it again$`));
  }
});

test.run();
