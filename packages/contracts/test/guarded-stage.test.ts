import { defineStage, isObject, MbsError, optionsFault, UsageError } from "@mbs/contracts";
import type { Batch, Schema, Stage } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { guardedStage } from "../src/guarded-stage.ts";
import { resourceKinds } from "../src/options.ts";

const schema: Schema = { kind: "counts", version: 1, metadata: {}, fields: [{ name: "tokens", type: "int64" }] };
const context = { signal: new AbortController().signal, threads: 1, progress: () => undefined, warn: () => undefined };

async function* one(batch: unknown): AsyncGenerator<Batch> {
  yield batch as Batch;
}

/** A stage that makes what it is given. */
const making = (run: () => unknown): Stage =>
  guardedStage(
    {
      name: "count",
      summary: "count",
      examples: [],
      inputs: {},
      outputs: { counts: { kind: "counts", description: "counts" } },
      options: {},
      run: async () => run() as never,
    },
    "./count.js",
  );

/** Runs a stage and reads what it makes; the error that it ends with. */
async function failureOf(stage: Stage): Promise<MbsError | undefined> {
  try {
    for await (const _ of (await stage.run({}, {}, context))["counts"]?.batches ?? []) continue;
    return undefined;
  } catch (error) {
    assert.instance(error, MbsError);
    return error as MbsError;
  }
}

const withBatch = (batch: unknown) => making(() => ({ counts: { schema, batches: one(batch) } }));
const withSchema = (changes: object) => making(() => ({ counts: { schema: { ...schema, ...changes }, batches: one({}) } }));

test("what a third-party stage makes is checked, and the stage named", async () => {
  assert.is(await failureOf(withBatch({ rows: 1, columns: { tokens: Float64Array.of(3) } })), undefined);
  const cases: readonly [Stage, RegExp][] = [
    [making(() => undefined), /it made no output counts/],
    [making(() => ({ counts: {} })), /its output counts is no stream/],
    [making(() => ({ counts: { schema, batches: [] } })), /has no batches that can be iterated with for await/],
    [withSchema({ kind: "layers" }), /has a schema of kind "layers", and its stage declares counts/],
    [withSchema({ version: "1" }), /has a schema without a whole version/],
    [withSchema({ metadata: { a: 3 } }), /has metadata that are not all strings/],
    [withSchema({ metadata: { "mbs.kind": "a" } }), /names that begin with mbs\. are reserved/],
    [withSchema({ version: 1.5 }), /has a schema without a whole version/],
    [withSchema({ fields: [] }), /has no list of 1 to 64 fields/],
    [withSchema({ fields: [...schema.fields, ...schema.fields] }), /has two fields called "tokens"/],
    [withSchema({ fields: [{ name: "a", type: "int16" }] }), /a type of utf8, int32, int64, float64/],
    [withBatch(3), /batch 0 of its output counts is no \{ rows, columns \}/],
    [withBatch({ rows: 1, columns: {} }), /has no column tokens/],
    [
      withBatch({ rows: 1, columns: { tokens: BigInt64Array.of(1n) } }),
      /that is not a Float64Array of whole numbers, as its type int64/,
    ],
    [withBatch({ rows: 2, columns: { tokens: Float64Array.of(3) } }), /has 2 rows and 1 values in the column tokens/],
    [
      making(() => {
        throw new TypeError("nothing is not defined");
      }),
      /nothing is not defined; fix it \(--debug shows its stack\)/,
    ],
  ];
  for (const [stage, message] of cases) {
    const error = await failureOf(stage);
    assert.is(error?.tag, "internal", String(message));
    assert.match(error?.message ?? "", /^stage count failed: /);
    assert.match(error?.message ?? "", message);
  }
});

async function* stuck(): AsyncGenerator<Batch> {
  await new Promise(() => undefined);
  yield { rows: 0, columns: {} };
}

test("a stage that never settles ends when the user stops it", async () => {
  const controller = new AbortController();
  const timer = setInterval(() => undefined, 1000);
  try {
    for (const stage of [making(() => new Promise(() => undefined)), making(() => ({ counts: { schema, batches: stuck() } }))]) {
      const work = (async () => {
        for await (const _ of (await stage.run({}, {}, { ...context, signal: controller.signal }))["counts"]?.batches ?? [])
          continue;
      })();
      setImmediate(() => controller.abort());
      const error = await work.catch((thrown: unknown) => thrown);
      assert.instance(error, MbsError);
      assert.is((error as MbsError).tag, "interrupted");
    }
  } finally {
    clearInterval(timer);
  }
});

test("a schema that no artifact of its kind has is refused", async () => {
  const checked = guardedStage(withBatch({ rows: 0, columns: {} }), "./count.js", () => {
    throw new Error("it has other columns");
  });
  assert.match((await failureOf(checked))?.message ?? "", /its output counts is no artifact of its kind: it has other columns/);
});

const refuse = (error: unknown): Stage =>
  making(() => {
    throw error;
  });

test("a refusal keeps its category, also where the stage brings its own copy of this package", async () => {
  const own = new UsageError("no such language");
  assert.is(await failureOf(refuse(own)), own);
  const copied = await failureOf(refuse(Object.assign(new Error("cut short"), { tag: "bad-data", facts: {} })));
  assert.is(copied?.tag, "bad-data");
  assert.is(copied?.message, "cut short");
});

test("a stage of defineStage gets its options parsed and misses no required input", async () => {
  const stage = defineStage({
    name: "count",
    summary: "count",
    examples: [],
    inputs: { segments: { kinds: ["segments"], description: "segments" } },
    outputs: { counts: { kind: "counts", description: "counts" } },
    options: { least: { kind: "integer", description: "least", default: 2 } },
    run: (inputs, { least }) => {
      assert.equal([inputs.segments.length, least], [1, 2]);
      return { counts: { schema, batches: one({ rows: 0, columns: {} }) } };
    },
  });
  const segments = [{ schema, batches: one({}) }];
  assert.ok(isObject(await stage.run({ segments }, {}, context)));
  for (const [inputs, options, message] of [
    [{}, {}, /count needs the input segments: segments/],
    [{ segments }, { most: 1 }, /count: unknown option --most/],
  ] as const) {
    const error = await stage.run(inputs, options, context).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.instance(error, UsageError);
    assert.match((error as Error).message, message);
  }
});

test("a table of options has kinds that there are", () => {
  const description = "an option";
  assert.is(optionsFault({ a: { kind: "number", description }, b: { kind: "choice", choices: ["x"], description } }), undefined);
  for (const resource of resourceKinds) {
    assert.is(optionsFault({ a: { kind: "resource", resource, description } }), undefined, resource);
  }
  for (const [table, message] of [
    [5, /not a table of options/],
    [{ a: 5 }, /its option "a" is no object/],
    [{ a: { kind: "float", description } }, /its option "a" has the kind "float"; kinds are integer, number/],
    [{ a: { kind: "number" } }, /has no description/],
    [{ a: { kind: "choice", description } }, /has no list of choices/],
    [{ a: { kind: "resource", resource: "file", description } }, /has no resource: one of model, corpus, distribution, imatrix/],
    [{ a: { kind: "code", description } }, /has no list builtIn/],
    [
      { a: { kind: "integer", description, default: "abc" } },
      /has a default that it does not take: --value takes a whole number/,
    ],
    [{ a: { kind: "number", description, excludes: "b" } }, /has excludes that are no list of names/],
    [{ noMask: { kind: "flag", description } }, /is no name in camelCase, or begins with "no"/],
  ] as const) {
    assert.match(optionsFault(table) ?? "", message);
  }
});

test.run();
