import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  collect,
  contentAddress,
  decodeStream,
  encodeLastStates,
  encodeStream,
  parseMetadata,
  readLastStates,
  readScores,
  type LastStates,
  type LastStatesMetadata,
  type Score,
} from "@mbs/artifacts";
import { at, BadDataError, InterruptedError, UsageError, type ArtifactStream, type Progress } from "@mbs/contracts";
import { failure, testContext } from "@mbs/contracts/testing";
import { evaluate, lastStates, type ScoredBy } from "@mbs/evaluation";
import { openModel, type Forward } from "@mbs/models";
import { writeTinyModel } from "@mbs/models/testing";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { PassageWindow } from "../src/passage-windows.ts";
import { chunksOf } from "../src/run-windows.ts";
import { scoreWindows } from "../src/score-windows.ts";
import { StoredStates, tokensAddress } from "../src/stored-states.ts";

const test = suite("last states");

type Options = Readonly<Record<string, unknown>>;

let folder = "";
const pathOf = (name: string): string => join(folder, name);
const length = 16;

const textOf = (language: string, lines: number): string =>
  Array.from({ length: lines }, (_, index) => `Text number ${index} of ${language}, ${"abcdefgh".slice(index % 7)}.`).join(
    "\n\n",
  );

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), "mbs-last-states-"));
  for (const [seed, name] of ["dense", "one", "two"].entries()) await writeTinyModel(pathOf(name), { contextLength: 32, seed });
  for (const name of ["texts", "others"]) {
    await mkdir(pathOf(name));
    for (const language of ["en", "mr"]) await writeFile(join(pathOf(name), `${language}.txt`), textOf(language + name, 9));
  }
});

test.after(async () => rm(folder, { recursive: true, force: true }));

/** The last states of a model. */
async function statesOf(options: Options = {}): Promise<ArtifactStream> {
  const given = { model: pathOf("dense"), corpus: pathOf("texts"), length, ...options };
  const made = await lastStates.run({}, given, testContext());
  return at(Object.values(made), 0);
}

/** The scores of the dense model, of those that are compared, and what they are made with. */
async function scoresOf(states: ArtifactStream | undefined, options: Options = {}, others = ["one"]): Promise<ArtifactStream> {
  const model = ["dense", ...others].map(pathOf);
  const given = { model, corpus: pathOf("texts"), length, ...options };
  const { scores } = await evaluate.run(states === undefined ? {} : { lastStates: [states] }, given, testContext());
  assert.ok(scores);
  return scores;
}

const addressOf = async (stream: ArtifactStream): Promise<string> => (await contentAddress(stream)).address;
const collected = async (stream: ArtifactStream): Promise<Score[]> => collect(readScores(stream, { shards: true }));

const bytesOf = async (stream: ArtifactStream): Promise<Buffer> => Buffer.concat(await collect(encodeStream(stream).bytes));

const fromBytes = (bytes: Uint8Array): Promise<ArtifactStream> =>
  decodeStream(
    (async function* chunks() {
      yield bytes;
    })(),
  );

for (const [name, options, others] of [
  ["a compared model", {}, ["one"]],
  ["several", {}, ["one", "two"]],
  ["the first model alone", {}, []],
  ["models whose distances are not measured", { distances: "off" }, ["one"]],
  ["sources apart, behind a beginning token", { bySource: true, bos: "on" }, ["one"]],
  ["a shard of both", { shard: "2/3" }, ["one", "two"]],
] as const) {
  test(`scores of ${name} are the same bytes with the first model's last states`, async () => {
    const { distances: _, ...own } = options as Options;
    assert.is(
      await addressOf(await scoresOf(await statesOf(own), options, [...others])),
      await addressOf(await scoresOf(undefined, options, [...others])),
    );
  });
}

test("they say what they are of, and hold a state a predicted token", async () => {
  const stream = await statesOf({ windows: 3, shard: "1/2", bySource: true });
  const opened = await openModel(pathOf("dense"));
  const { model, activations, windows, options, shards, length: tokens } = parseMetadata("last-states", stream.schema);
  assert.equal(
    { model, activations, windows, options, shards, tokens },
    {
      model: opened.address,
      activations: "float32",
      windows: { en: 3 },
      options: { bySource: true },
      shards: { first: 0, count: 1, of: 2 },
      tokens: length,
    },
  );
  const records = await collect(readLastStates(stream));
  assert.equal(
    records.map(({ language, window, rows, width }) => [language, window, rows, width]),
    [0, 1, 2].map((window) => ["en", window, length - 1, opened.stateWidth]),
  );
  await opened.close();
});

test("states of all windows serve a shard, fewer windows and fewer languages, but for what other batches round", async () => {
  for (const options of [{ shard: "2/2" }, { windows: 2 }, { languages: "mr" }]) {
    const [own, others] = [
      await collected(await scoresOf(await statesOf(), options)),
      await collected(await scoresOf(undefined, options)),
    ];
    assert.ok(own.length > 0);
    assert.is(own.length, others.length);
    for (const [index, { nll, distance, ...score }] of own.entries()) {
      const { nll: expected, distance: expectedDistance, ...other } = at(others, index);
      assert.equal(score, other);
      assert.ok(Math.abs(nll / expected - 1) < 1e-5);
      for (const [token, kl] of (distance?.kl ?? []).entries()) {
        assert.ok(Math.abs(kl - (expectedDistance?.kl[token] ?? NaN)) < 1e-5);
      }
    }
  }
});

for (const [name, made, evaluated, message] of [
  [
    "another model",
    { model: "one" },
    {},
    /^the last states are of model [0-9a-f]{64}, .*dense is [0-9a-f]{64}; make them again with mbs last-states/,
  ],
  [
    "other texts",
    { corpus: "others" },
    {},
    /^the last states are of texts [0-9a-f]{64}, --corpus has [0-9a-f]{64}; make them again/,
  ],
  [
    "another length",
    { length: 8 },
    {},
    /^the last states were made with --length 8, and this evaluation is with --length 16; give both the same/,
  ],
  ["a beginning token", { bos: "on" }, {}, /^the last states were made with --bos on, and this evaluation is with --bos auto;/],
  [
    "sources apart",
    { bySource: true },
    {},
    /^the last states were made with --by-source, and this evaluation is without --by-source;/,
  ],
  [
    "another field",
    {},
    { field: "body" },
    /^the last states were made without --field, and this evaluation is with --field body;/,
  ],
  [
    "fewer windows",
    { windows: 2 },
    {},
    /^the last states are of 2 windows of en, and \d+ are evaluated; make them again .* or evaluate fewer with --windows/,
  ],
  ["fewer languages", { languages: "mr" }, {}, /^the last states are of 0 windows of en, and/],
  [
    "a shard, of all windows",
    { shard: "1/2" },
    {},
    /^the last states are of shard 1\/2 of the windows, and this evaluation is of all windows; give both the same --shard/,
  ],
  [
    "another shard",
    { shard: "1/2" },
    { shard: "2/2" },
    /^the last states are of shard 1\/2 of the windows, and this evaluation is of shard 2\/2 of the windows;/,
  ],
] as const) {
  test(`last states of ${name} are refused`, async () => {
    const { model = "dense", corpus = "texts" } = made as { model?: string; corpus?: string };
    const states = await statesOf({ ...made, model: pathOf(model), corpus: pathOf(corpus) });
    const error = await failure(async () => collected(await scoresOf(states, evaluated)));
    assert.instance(error, BadDataError);
    assert.match(error.message, message);
  });
}

/** Last states whose records or metadata are changed, with hashes that are right. */
async function edited(
  change: (records: readonly LastStates[]) => readonly LastStates[],
  metadata: Partial<LastStatesMetadata> = {},
): Promise<ArtifactStream> {
  const stream = await statesOf();
  const about = { ...parseMetadata("last-states", stream.schema), ...metadata };
  return encodeLastStates(change(await collect(readLastStates(stream))), about);
}

const same = (records: readonly LastStates[]) => records;

for (const [name, change, metadata, message] of [
  [
    "another device",
    same,
    { options: { device: "webgpu" } },
    /made with --device webgpu, and this evaluation is without --device; give both the same/,
  ],
  ["int8", same, { activations: "int8" }, /made with --activations int8, and this evaluation is with --activations float32;/],
  [
    "weights read as 0",
    same,
    { nonfinite: ["h.0"] },
    /made with --allow-nonfinite, and this evaluation is without --allow-nonfinite;/,
  ],
  [
    "other tokens",
    (all) => all.map((one) => ({ ...one, tokens: "0".repeat(64) })),
    {},
    /^the last states of en window 0 are of other tokens:/,
  ],
  [
    "another source",
    (all) => all.map((one) => ({ ...one, source: "news" })),
    {},
    /^the last states of en window 0 are of other tokens:/,
  ],
  [
    "other rows",
    (all) => all.map((one) => ({ ...one, rows: one.width, width: one.rows })),
    {},
    /^the last states of en window 0 are of other tokens:/,
  ],
  [
    "a window less",
    (all) => all.filter(({ window }) => window !== 3),
    {},
    /^the last states have none of en window 3 in the order of the texts;/,
  ],
  ["another order", (all) => all.toReversed(), {}, /^the last states have none of en window 1 in the order of the texts;/],
] as const satisfies readonly (readonly [
  string,
  (records: readonly LastStates[]) => readonly LastStates[],
  Partial<LastStatesMetadata>,
  RegExp,
])[]) {
  test(`last states with ${name} are refused`, async () => {
    const states = await edited(change, metadata);
    const error = await failure(async () => collected(await scoresOf(states)));
    assert.instance(error, BadDataError);
    assert.match(error.message, message);
  });
}

test("an artifact that is cut short or changed on the way is refused, also behind the windows that are read", async () => {
  const bytes = await bytesOf(await statesOf());
  for (const [end, windows] of [
    [bytes.length - 8, 1],
    [bytes.length >> 1, 20],
  ] as const) {
    const cut = await failure(async () => collected(await scoresOf(await fromBytes(bytes.subarray(0, end)), { windows })));
    assert.instance(cut, BadDataError, cut.message);
  }
  const garbled = Buffer.from(bytes);
  garbled.writeUInt8(garbled.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
  assert.instance(await failure(async () => collected(await scoresOf(await fromBytes(garbled)))), BadDataError);
});

test("last states without texts, and wrong options, are refused before anything is read", async () => {
  const states = await statesOf();
  const given = { model: [pathOf("dense")], tasks: "xnli", taskPath: [folder] };
  const error = await failure(() => evaluate.run({ lastStates: [states] }, given, testContext()));
  assert.instance(error, UsageError);
  assert.match(error.message, /^--last-states are of texts; give --corpus/);
  assert.instance(await failure(() => statesOf({ sourceTarget: true, bySource: true })), UsageError);
  assert.instance(await failure(() => statesOf({ shard: "3/2" })), UsageError);
  const planned = { solver: "rtn", codes: "none" } as const;
  const checked = await failure(async () =>
    lastStates.checkPlan?.({ model: pathOf("dense"), corpus: pathOf("texts"), languages: "zz" }, planned),
  );
  assert.match(checked.message, /--languages zz: corpus texts has no texts of zz/);
});

test("both stop where they are told to", async () => {
  const stop = new AbortController();
  const context = testContext({ signal: stop.signal });
  const states = await statesOf();
  const given = { corpus: pathOf("texts"), length };
  const [made] = Object.values(await lastStates.run({}, { model: pathOf("dense"), ...given }, context));
  const { scores } = await evaluate.run({ lastStates: [states] }, { model: [pathOf("dense")], ...given }, context);
  stop.abort();
  for (const stream of [made, scores]) {
    assert.ok(stream);
    assert.instance(await failure(async () => collect(stream.batches)), InterruptedError);
  }
});

test("progress is of the windows of all models, and of one where states are made", async () => {
  for (const [stage, models] of [["last-states", 1] as const, ["evaluate", 2] as const]) {
    const seen: Progress[] = [];
    const context = testContext({ progress: (one) => void seen.push(one) });
    const given = { corpus: pathOf("texts"), length };
    const states = { lastStates: [await statesOf()] };
    const made =
      stage === "evaluate"
        ? await evaluate.run(states, { ...given, model: [pathOf("dense"), pathOf("one")] }, context)
        : await lastStates.run({}, { ...given, model: pathOf("dense") }, context);
    const rows = (await collect(at(Object.values(made), 0).batches)).reduce((sum, batch) => sum + batch.rows, 0);
    const own = seen.filter(({ activity }) => activity === stage);
    const done = own.map((one) => one.done);
    assert.equal(
      done,
      done.toSorted((a, b) => a - b),
    );
    assert.ok(new Set(done).size > 2);
    assert.equal([at(own, own.length - 1).done, at(own, 0).total], [rows, rows]);
    assert.is(rows % models, 0);
  }
});

const fixture = (name: string): string => fileURLToPath(new URL(`../../models/test/fixtures/forward/${name}`, import.meta.url));

/** Characters that the tiny tokenizers know. */
const line = (seed: number): string =>
  String.fromCharCode(...Array.from({ length: 90 }, (_, at) => 40 + ((at * at * 3 + at * seed) % 40)));

test("an encoder-decoder has them too, of spans and of targets", async () => {
  const model = fixture("mt5-f32");
  await mkdir(pathOf("pairs"));
  await mkdir(pathOf("spans"));
  await writeFile(join(pathOf("spans"), "en.txt"), [1, 2, 3].map(line).join("\n\n"));
  const pairs = [1, 2, 3].map((seed) =>
    JSON.stringify({ source: line(seed).slice(0, 12), target: line(seed + 3).slice(0, 6 + seed) }),
  );
  await writeFile(join(pathOf("pairs"), "en.jsonl"), pairs.join("\n"));
  for (const options of [{ corpus: pathOf("spans") }, { corpus: pathOf("pairs"), sourceTarget: true }]) {
    const given = { ...options, length: 40 };
    const { scores } = await evaluate.run({}, { ...given, model: [model, model], labels: "a,b" }, testContext());
    const states = await lastStates.run({}, { ...given, model }, testContext());
    const stored = await evaluate.run(
      { lastStates: Object.values(states) },
      { ...given, model: [model, model], labels: "a,b" },
      testContext(),
    );
    assert.ok(scores && stored["scores"]);
    assert.is(await addressOf(stored["scores"]), await addressOf(scores));
  }
  const decoder = await failure(() => statesOf({ sourceTarget: true }));
  assert.match(decoder.message, /dense is a decoder, which predicts a text and no target/);
});

/** Windows of so many tokens, which a model of the tiny vocabulary reads. */
const windowsOf = (count: number, tokens: number): readonly PassageWindow[] =>
  Array.from({ length: count }, (_, window) => {
    const ids = Int32Array.from({ length: tokens }, (_, place) => 4 + ((window * 13 + place * place * 7 + place) % 250));
    const passage = { inputs: new Map([["hidden", ids]]), scored: ids, first: 1, predicted: ids.subarray(1) };
    return { language: "en", source: "", window, passage, bytes: tokens - 1 };
  });

test("batches are the same however many are kept, which is 256 MiB of states at most", () => {
  const windows = windowsOf(50, 300);
  const all = [...chunksOf(windows, 1)];
  assert.is(all.length, 1);
  for (const width of [32768, 1 << 20]) {
    const chunks = [...chunksOf(windows, width)];
    assert.equal(chunks.flat(), all.flat());
    const bytes = chunks.map((batches) => 4 * width * batches.flat().length * 300);
    assert.ok(chunks.every((batches, index) => batches.length === 1 || at(bytes, index) <= 2 ** 28));
    assert.ok(chunks.length > 2);
  }
});

/** A model that its scores take for one with wider states, and so keep fewer of them at a time. */
const asWide = ({ model, ...scored }: ScoredBy): ScoredBy => ({ ...scored, model: { ...model, stateWidth: 20_000 } });

const refuse = (): never => {
  throw new Error("a block is run");
};

/** A model none of whose blocks can be run. */
const withoutBlocks = ({ model, ...scored }: ScoredBy): ScoredBy => ({
  ...scored,
  model: {
    ...model,
    async forward(options) {
      return { ...(await model.forward(options)), embed: refuse, block: refuse } satisfies Forward;
    },
  },
});

/** Scores come in the order of chunks, each of which has the windows of both models. */
const byModel = (scores: readonly Score[]): readonly Score[] =>
  ["dense", "one"].flatMap((name) => scores.filter(({ model }) => model === name));

test("no block of the first model is run, and states are read a chunk at a time", async () => {
  const windows = windowsOf(12, 300);
  const [first, other] = await Promise.all(
    ["dense", "one"].map(async (name): Promise<ScoredBy> => ({
      model: await openModel(pathOf(name)),
      label: name,
      activations: "float32",
    })),
  );
  assert.ok(first && other);
  const context = testContext();
  const expected = await collect(scoreWindows([first, other], windows, context));
  assert.equal(byModel(await collect(scoreWindows([asWide(first), other], windows, context))), byModel(expected));

  const { stateWidth, blocks } = first.model;
  const forward = await first.model.forward({ threads: 1 });
  let taken = 0;
  async function* records(): AsyncGenerator<LastStates> {
    for (const batch of [...chunksOf(windows, 1)].flat()) {
      let states = await forward.embed(Int32Array.from(batch.flatMap(({ passage }) => [...passage.scored])), batch.length);
      for (const block of blocks.keys()) states = await forward.block(block, states, { batch: batch.length });
      for (const [index, { language, source, window, passage }] of batch.entries()) {
        taken += 1;
        const start = index * 300 * stateWidth;
        const values = states.values.subarray(start, start + 299 * stateWidth);
        yield { language, source, window, tokens: tokensAddress(passage), rows: 299, width: stateWidth, values };
      }
    }
  }
  const about = { activations: "float32", nonfinite: [], corpus: "", length: 300, bos: "off", options: {}, windows: { en: 12 } };
  const stream = encodeLastStates(records(), { model: first.model.address, ...about });
  const stored = new StoredStates(stream, stateWidth);
  const scores: Score[] = [];
  for await (const score of scoreWindows([withoutBlocks(asWide(first)), other], windows, context, stored)) {
    // 4 · 20,032 bytes a token, so that a chunk has three batches of three windows; of the artifact 256 KiB are a batch
    if (scores.length === 0) assert.ok(taken < windows.length, `${taken} windows are read`);
    scores.push(score);
  }
  assert.equal(byModel(scores), byModel(expected));
  await forward.close();
  for (const { model } of [first, other]) await model.close();
});

test.run();
