import { isDeepStrictEqual } from "node:util";
import {
  collect,
  collectScores,
  artifactKinds,
  decodeStream,
  encodeFactors,
  encodeScores,
  encodeSegments,
  encodeStates,
  encodeStatistics,
  parseMetadata,
  readFactors,
  readFiles,
  readScores,
  readSegments,
  readStates,
  readStatistics,
  requireKind,
  type ArtifactKind,
  type ScoresMetadata,
  type Statistic,
  type StatisticsMetadata,
  type TaskScore,
} from "@mbs/artifacts";
import { at, BadDataError, FailedPreconditionError, InternalError, type ArtifactStream } from "@mbs/contracts";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { encodeWhole, errorOf, factors, inChunks, rebatch, samples, scores, segments, states, statistics } from "./samples.ts";

const test = suite("codecs");

const kinds = Object.keys(artifactKinds) as ArtifactKind[];
const segmentsMetadata = { tokenizer: "", corpus: "", distribution: "", length: 1, seed: 0, mix: "", counts: {}, shortfall: {} };

for (const kind of kinds) {
  test(`${kind}: records and metadata come back from batches and from bytes`, async () => {
    const { encode, read, records, metadata } = samples[kind];
    assert.ok(isDeepStrictEqual(await collect(read(encode())), records));
    for (const size of [4096, 1_000_003]) {
      const decoded = await decodeStream(inChunks(await encodeWhole(encode()), size));
      assert.equal(parseMetadata(kind, decoded.schema), metadata);
      assert.ok(isDeepStrictEqual(await collect(read(decoded)), records));
    }
  });

  test(`${kind}: an artifact without records`, async () => {
    const { encode, read } = samples[kind];
    const empty: ArtifactStream = { schema: encode().schema, batches: (async function* () {})() };
    const decoded = await decodeStream(inChunks(await encodeWhole(empty)));
    assert.equal(await collect(read(decoded)), []);
    assert.is((await decoded.receipt).rows, 0);
  });
}

const bytesOf = async (stream: ArtifactStream) =>
  (await collect(stream.batches)).map(({ columns }) => {
    const values = columns["values"] as readonly Float32Array[];
    return values.reduce((sum, { byteLength }) => sum + byteLength, 0);
  });

test("no batch holds more than 3.5 MiB, and small records share one", async () => {
  const large = await bytesOf(samples.states.encode());
  assert.is(large.length, 4);
  assert.ok(Math.max(...large) <= 3.5 * 1024 * 1024);
  const small = encodeSegments(
    Array.from({ length: 200 }, (_, segment) => ({ ...at(segments, 0), segment })),
    segmentsMetadata,
  );
  assert.equal(
    (await collect(small.batches)).map(({ rows }) => rows),
    [64, 64, 64, 8],
  );
});

test("the first batch is there before the source has ended", async () => {
  let taken = 0;
  function* endless() {
    for (;;) yield { ...at(states, 1), segment: taken++ };
  }
  const { batches } = encodeStates(endless(), { model: "", tokenizer: "", blocks: 0, layers: [] });
  for await (const { rows } of batches) {
    assert.is(rows, 64);
    break;
  }
  assert.is(taken, 64);
});

const panels = async () => collect((await rebatch(samples.states.encode(), [1])).batches);

async function* inOrder<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

const readPanels = (order: readonly number[]) => async () => {
  const all = await panels();
  return collect(readStates({ schema: samples.states.encode().schema, batches: inOrder(order.map((index) => at(all, index))) }));
};

test("a panel that is missing, twice, swapped or cut is refused", async () => {
  assert.is((await readPanels([0, 1, 2, 3])()).length, 2);
  for (const order of [
    [0, 1],
    [0, 2, 3],
    [1, 2, 3],
    [0, 0, 1, 2, 3],
    [1, 0, 2, 3],
    [0, 1, 3],
    [0, 3],
  ]) {
    const error = await errorOf(readPanels(order));
    assert.instance(error, BadDataError, order.join(" "));
    assert.match(error.message, /segment 0/);
  }
});

async function withColumn(kind: ArtifactKind, column: string, change: (values: unknown[]) => unknown[]): Promise<ArtifactStream> {
  const { schema, batches } = samples[kind].encode();
  const changed = (await collect(batches)).map((batch) => {
    const values = change(Array.from(batch.columns[column] as ArrayLike<unknown>));
    return { ...batch, columns: { ...batch.columns, [column]: values as string[] } };
  });
  return {
    schema,
    batches: (async function* () {
      yield* changed;
    })(),
  };
}

test("values that contradict each other are refused", async () => {
  const cases: [string, () => Promise<unknown>][] = [
    ["kind", async () => collect(readStatistics(await withColumn("statistics", "kind", (all) => all.map(() => "cross"))))],
    ["width", async () => collect(readStatistics(await withColumn("statistics", "width", (all) => all.map(() => 2 ** 31 - 1))))],
    ["zero width", async () => collect(readStatistics(await withColumn("statistics", "width", (all) => all.map(() => 0))))],
    ["negative", async () => collect(readStates(await withColumn("states", "rows", (all) => all.map(() => -5))))],
    ["summary", async () => collect(readFactors(await withColumn("factors", "info", (all) => all.map(() => "{}"))))],
    ["no json", async () => collect(readFactors(await withColumn("factors", "info", (all) => all.map(() => "["))))],
    ["dtype", async () => collect(samples.layers.read(await withColumn("layers", "dtype", (all) => all.map(() => "f8"))))],
    ["moment", async () => collect(samples.damage.read(await withColumn("damage", "moment", (all) => all.map(() => "mean"))))],
    ["offset", async () => collect(readFiles(await withColumn("files", "offset", (all) => all.map(() => 3))))],
  ];
  for (const [name, work] of cases) assert.instance(await errorOf(work), BadDataError, name);
});

test("invalid numbers are refused, with their row and the remedy", async () => {
  const cases: readonly (readonly [ArtifactKind, string, readonly number[], RegExp])[] = [
    ["scores", "nll", [NaN, Infinity, -1], /^scores: window 3 of ta by dense: nll is .*; evaluate again$/],
    ["scores", "tokens", [0, -5], /tokens is .*, not a finite number of at least 1; evaluate again$/],
    ["scores", "bytes", [-1], /bytes is -1/],
    ["similarity", "value", [NaN, Infinity], /^similarity: cosine of en and fr at h\.0 input: value is .*, not a finite number;/],
    ["damage", "error", [NaN, -1], /^damage: en in a\.weight: error is/],
    ["damage", "output", [Infinity], /output is Infinity/],
    ["damage", "damage", [NaN, -4], /damage is .*; predict again$/],
    ["mixes", "weight", [NaN, -1], /^mixes: en in mix equal: weight is/],
    ["mixes", "loss", [NaN, Infinity], /loss is .*; make them again$/],
  ];
  for (const [kind, column, values, message] of cases) {
    for (const value of values) {
      const stream = await withColumn(kind, column, (all) => all.map(() => value));
      const error = await errorOf(() => collect(samples[kind].read(stream)));
      assert.instance(error, BadDataError, `${kind} ${column} ${value}`);
      assert.match(error.message, message);
    }
  }
});

/** What reading the first statistic says, with something of it changed. */
function readChanged(change: Partial<Statistic>): ReturnType<typeof errorOf> {
  const metadata = { ...samples.statistics.metadata } as StatisticsMetadata;
  return errorOf(() => collect(readStatistics(encodeStatistics([{ ...at(statistics, 0), ...change }], metadata))));
}

test("statistics of no tokens, and mean squares that are negative or not finite, are refused", async () => {
  for (const tokens of [0, -5]) {
    const error = await readChanged({ tokens });
    assert.instance(error, BadDataError);
    assert.match(error.message, /^gram of h\.0 qkv en: it is a mean over -?\d tokens; capture again$/);
  }
  for (const value of [-1, NaN, Infinity]) {
    // width 3: the packed diagonal stands at 0, 3 and 5
    const gram = await readChanged({ values: Float32Array.of(1, -1, 0, value, 0, 1) });
    const diagonal = await readChanged({ kind: "diagonal", values: Float32Array.of(1, value, 0) });
    for (const error of [gram, diagonal]) {
      assert.instance(error, BadDataError);
      assert.match(error.message, /^(gram|diagonal) of h\.0 qkv en: the mean square of channel 1 is .*; capture again$/);
    }
  }
});

test("a training mixture that is none is refused before the first record", async () => {
  const { schema, batches } = samples.scores.encode();
  for (const shares of ['{"en":-1,"de":2}', '{"en":0,"de":0}', '{"en":1e308,"de":1e308}', "{}", "[1]"]) {
    const metadata = { ...schema.metadata, shares };
    const error = await errorOf(() => samples.scores.read({ schema: { ...schema, metadata }, batches }));
    assert.instance(error, BadDataError, shares);
    assert.match(error.message, /^scores artifact: metadata "shares" is no shares: /);
  }
});

const factorsMetadata = { model: "", weights: { fr: 0.25, de: 0, en: 0.75 }, damping: 0, order: "" };
const weighted = { ...at(factors, 0), summary: { ...at(factors, 0).summary, weights: factorsMetadata.weights } };
const ofLanguages = (...languages: string[]) => ({
  ...weighted,
  languageDiagonals: languages.map((language, index) => ({ language, values: Float32Array.of(index, 2, 3) })),
});

test("diagonals of languages come back in the order of their codes, without those that weigh nothing", async () => {
  const records = [ofLanguages("en", "fr"), weighted];
  const decoded = await decodeStream(inChunks(await encodeWhole(encodeFactors(records, factorsMetadata))));
  assert.ok(isDeepStrictEqual(await collect(readFactors(decoded)), records));
  for (const wrong of [ofLanguages("fr", "en"), ofLanguages("en"), ofLanguages("de", "en", "fr")]) {
    const error = await errorOf(() => collect(encodeFactors([wrong], factorsMetadata).batches));
    assert.instance(error, InternalError);
    assert.match(error.message, /instead of en, fr/);
  }
});

test("an order that is no permutation is refused", async () => {
  const stream = encodeFactors([{ ...at(factors, 0), order: Int32Array.of(0, 0, 1) }], {
    model: "",
    weights: {},
    damping: 0,
    order: "",
  });
  assert.match((await errorOf(() => collect(readFactors(stream)))).message, /no permutation at position 1/);
});

test("a writer's own mistakes are internal errors", async () => {
  const metadata = { model: "", tokenizer: "", blocks: 0, layers: [] };
  const wrongLength = encodeStates([{ ...at(states, 1), rows: 3 }], metadata);
  assert.instance(await errorOf(() => collect(wrongLength.batches)), InternalError);
  assert.instance(await errorOf(() => encodeStates([], { ...metadata, blocks: Number.NaN })), InternalError);
  const noUpper = encodeFactors([{ ...at(factors, 1), summary: at(factors, 0).summary }], {
    model: "",
    weights: {},
    damping: 0,
    order: "",
  });
  assert.instance(await errorOf(() => collect(noUpper.batches)), InternalError);
});

test("another kind, an unknown version, other columns and bad metadata are refused before the first record", async () => {
  const { schema, batches } = samples.segments.encode();
  assert.is(requireKind({ schema }, ["states", "segments"]), "segments");
  assert.match(
    (await errorOf(() => requireKind({ schema }, ["states", "layers"]))).message,
    /kind states or layers, found "segments"/,
  );
  const newer = await errorOf(() => readSegments({ schema: { ...schema, version: 3 }, batches }));
  assert.instance(newer, FailedPreconditionError);
  assert.match(newer.message, /version 3, version 2 is supported: update this program/);
  const fields = schema.fields.slice(1);
  assert.instance(await errorOf(() => readSegments({ schema: { ...schema, fields }, batches })), BadDataError);
  const { seed, ...rest } = schema.metadata;
  assert.ok(seed);
  assert.is(seed, "7");
  for (const metadata of [
    rest,
    { ...rest, seed: "1.5" },
    { ...rest, seed: "" },
    { ...rest, seed, counts: "[1]" },
    { ...rest, seed, counts: "{" },
  ]) {
    assert.instance(await errorOf(() => readSegments({ schema: { ...schema, metadata }, batches })), BadDataError);
  }
});

test("a target is read as it was written", async () => {
  const pair = { ...at(segments, 0), target: Int32Array.of(2, 9, 2) };
  const both = [pair, at(segments, 1)];
  assert.equal(await collect(readSegments(encodeSegments(both, { ...segmentsMetadata, length: 3 }))), both);
});

test("scores of another version are refused, and so are other columns", async () => {
  const { schema, batches } = samples.scores.encode();
  const fewer = await errorOf(() => readScores({ schema: { ...schema, fields: schema.fields.slice(1) }, batches }));
  assert.match(fewer.message, /scores artifact has the columns/);
  const older = await errorOf(() => readScores({ schema: { ...schema, version: 2 }, batches }));
  assert.match(older.message, /version 2, version 3 is supported: write the artifact again with this program/);
  const newer = await errorOf(() => readScores({ schema: { ...schema, version: 4 }, batches }));
  assert.match(newer.message, /version 4, version 3 is supported: update this program/);
});

test("choices and answers of tasks are kept beside windows, and readers of windows do not see them", async () => {
  const common = { model: "dense", address: "a".repeat(64), language: "hi", task: "pairs", document: 3 };
  const choice = { kind: "choice", choice: 1, nll: 2.5, tokens: 2, bytes: 7, characters: 3, right: true, cut: 5 } as const;
  const tasks: TaskScore[] = [
    { ...common, score: { ...choice, choice: 0, right: false } },
    { ...common, score: { ...choice, unconditional: 4 } },
    { ...common, language: "", task: "write", score: { kind: "answer", answer: "", right: true, cut: 0 } },
  ];
  const metadata = samples.scores.metadata as ScoresMetadata;
  const encode = () => encodeScores([...scores, ...tasks], { ...metadata, tasks: { pairs: {}, write: {} } });
  assert.equal(await collectScores(encode()), { windows: scores, tasks });
  assert.equal(await collect(readScores(encode())), scores);
  for (const [broken, message] of [
    [{ ...common, score: { ...choice, tokens: 0 } }, /document 3 of pairs by dense: tokens is 0/],
    [{ ...common, score: { ...choice, nll: NaN } }, /nll is NaN/],
  ] as const) {
    const error = await errorOf(() => collectScores(encodeScores([broken], metadata)));
    assert.instance(error, BadDataError);
    assert.match(error.message, message);
  }
});

const text = (counts: Record<string, number>) => encodeSegments([], { ...segmentsMetadata, counts }).schema.metadata["counts"];

test("equal metadata has equal text, whatever the order of its keys", () => {
  assert.is(text({ en: 1, fr: 2 }), text({ fr: 2, en: 1 }));
});

test.run();
