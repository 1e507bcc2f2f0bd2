import { collect, encodeStates, encodeStatistics, parseMetadata, readStates, readStatistics } from "@mbs/artifacts";
import type { Statistic } from "@mbs/artifacts";
import { at, BadDataError, FailedPreconditionError, UsageError } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { add, capture } from "../src/index.ts";
import { context, keep, makeSegments, rounding, runPropagate, segmentStream, withModel } from "./stage-run.ts";
import { relativeDifference } from "../../../tools/test/relative-difference.ts";

async function captureShard(source: ArtifactStream, options: object): Promise<ArtifactStream> {
  const { statistics } = await capture.run({ source: [source] }, options, context);
  if (statistics === undefined) throw new Error("capture gave no statistics");
  return keep(statistics);
}

async function runAdd(statistics: readonly ArtifactStream[]): Promise<ArtifactStream> {
  const { statistics: added } = await add.run({ statistics }, {}, context);
  if (added === undefined) throw new Error("add gave no statistics");
  return keep(added);
}

const nameOf = ({ block, site, language, kind, tokens, width }: Statistic): string =>
  [block, site, language, kind, tokens, width].join(" ");

function assertClose(found: readonly Statistic[], expected: readonly Statistic[]): void {
  assert.equal(found.map(nameOf), expected.map(nameOf));
  for (const [index, { values }] of found.entries()) {
    const other = expected[index];
    const distance = relativeDifference(values, other?.values ?? []);
    assert.ok(distance < rounding, `${other && nameOf(other)} differs by ${distance}`);
  }
}

async function failure(action: () => Promise<unknown>): Promise<unknown> {
  try {
    await action();
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
}

const requests = [
  { grams: "languages" },
  { grams: "pooled" },
  { grams: "pooled", mix: "te=0.2,en=0.7,mr=0.1" },
  { statistics: "diagonal" },
];

for (const request of requests) {
  test(`shards of segments add up to the whole: ${JSON.stringify(request)}`, async () => {
    await withModel(async (folder, model) => {
      const source = () => segmentStream(makeSegments(), model.tokenizerAddress);
      const whole = await captureShard(source(), { model: folder, ...request });
      const shards: ArtifactStream[] = [];
      for (const shard of ["1/3", "2/3", "3/3"]) {
        shards.push(await captureShard(source(), { model: folder, shard, ...request }));
      }
      assert.equal(parseMetadata("statistics", at(shards, 1).schema).shards, { first: 1, count: 1, of: 3 });
      const added = await runAdd([at(shards, 2), at(shards, 0), at(shards, 1)]);
      assert.equal(added.schema, whole.schema);
      const records = await collect(readStatistics(added));
      assertClose(records, await collect(readStatistics(whole)));
      const tree = await runAdd([await runAdd(shards.slice(0, 2)), at(shards, 2)]);
      assertClose(await collect(readStatistics(tree)), records);
    });
  });
}

test("shards of states add up to the whole, and their states are those of the whole", async () => {
  await withModel(async (folder, model) => {
    const request = { model: folder, grams: "pooled", mix: "te=0.2,en=0.7,mr=0.1", site: ["mlp-up"] };
    const source = () => segmentStream(makeSegments(), model.tokenizerAddress);
    const block = async (shard?: string): Promise<ArtifactStream> =>
      captureShard(
        await runPropagate(await runPropagate(source(), { model: folder, ...(shard && { shard }) }), { model: folder }),
        request,
      );
    const parts = [await block("1/2"), await block("2/2")];
    assertClose(await collect(readStatistics(await runAdd(parts))), await collect(readStatistics(await block())));
  });
});

test("a missing shard, one given twice, one of another capture and statistics of the whole are refused", async () => {
  await withModel(async (folder, model) => {
    const source = () => segmentStream(makeSegments(), model.tokenizerAddress);
    const of = (shard: string, more: object = {}) =>
      captureShard(source(), { model: folder, shard, statistics: "diagonal", ...more });
    const [first, second, third] = [await of("1/3"), await of("2/3"), await of("3/3")];
    assert.instance(await failure(() => runAdd([first, third])), UsageError);
    assert.instance(await failure(() => runAdd([first, second, second])), UsageError);
    assert.instance(await failure(async () => runAdd([first, await of("2/4")])), BadDataError);
    assert.instance(await failure(async () => runAdd([first, await of("2/3", { mix: "en=1" })])), BadDataError);
    assert.instance(await failure(async () => runAdd([first, await of("2/3", { site: ["mlp-up"] })])), BadDataError);
    const whole = await captureShard(source(), { model: folder, statistics: "diagonal" });
    assert.instance(await failure(() => runAdd([whole])), UsageError);
    const some = await runAdd([first, second]);
    assert.equal(parseMetadata("statistics", some.schema).shards, { first: 0, count: 2, of: 3 });
    const refused = await failure(() => collect(readStatistics(some)));
    assert.instance(refused, FailedPreconditionError);
    assert.match(String(refused), "2 of 3 shards");
  });
});

test("states of a shard with more tokens of a language than all segments are refused", async () => {
  await withModel(async (folder, model) => {
    const states = await runPropagate(segmentStream(makeSegments(), model.tokenizerAddress), { model: folder, shard: "1/2" });
    const metadata = parseMetadata("states", states.schema);
    const records = await collect(readStates(states));
    const { en = 0, ...others } = metadata.wholeTokens ?? {};
    for (const wholeTokens of [others, { ...others, en: 1 }, { ...others, en: 0 }]) {
      const hostile = await keep(encodeStates(records, { ...metadata, wholeTokens }));
      const error = await failure(() => captureShard(hostile, { model: folder, grams: "pooled" }));
      assert.instance(error, BadDataError);
      assert.match(String(error), /the states have \d+ tokens of en, and all segments together [01]; propagate again/);
    }
    assert.ok(en > 1);
  });
});

const statistic = (language: string): Statistic => ({
  block: "h.0",
  site: "mlp-up",
  language,
  kind: "diagonal",
  tokens: 2,
  width: 1,
  values: Float32Array.of(1),
});

const handMade = (first: number, ...languages: string[]): Promise<ArtifactStream> =>
  keep(
    encodeStatistics(languages.map(statistic), {
      model: "",
      tokenizer: "",
      propagation: "dense",
      unit: "mean a token",
      mix: undefined,
      shards: { first, count: 1, of: 2 },
    }),
  );

test("a language that a shard has twice, or out of order, is refused", async () => {
  for (const languages of [
    ["en", "de"],
    ["de", "de"],
  ]) {
    const parts = [await handMade(0, ...languages), await handMade(1, "de", "en")];
    assert.instance(await failure(() => runAdd(parts)), BadDataError);
  }
  assert.is((await collect(readStatistics(await runAdd([await handMade(0, "de"), await handMade(1, "de", "en")])))).length, 2);
});

test("a shard of none, of too few segments, and of states is refused", async () => {
  await withModel(async (folder, model) => {
    const source = () => segmentStream(makeSegments(), model.tokenizerAddress);
    for (const shard of ["0/2", "3/2", "1", "1/x", "-1/2"]) {
      assert.instance(await failure(() => captureShard(source(), { model: folder, shard })), UsageError);
    }
    assert.match(String(await failure(() => captureShard(source(), { model: folder, shard: "1/8" }))), "at most 7 shards");
    const states = await runPropagate(source(), { model: folder });
    assert.instance(await failure(() => captureShard(states, { model: folder, shard: "1/2" })), UsageError);
    assert.instance(await failure(() => runPropagate(states, { model: folder, shard: "1/2" })), UsageError);
  });
});

test.run();
