import { collect, contentAddress, encodeStatistics, readSimilarities } from "@mbs/artifacts";
import type { SimilarityRecord, Statistic } from "@mbs/artifacts";
import { BadDataError, UsageError } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";
import { testContext } from "@mbs/contracts/testing";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { similarity } from "../src/similarity/similarity-stage.ts";

const context = testContext();

const diagonal = (language: string, values: number[], more: Partial<Statistic> = {}): Statistic => ({
  block: "h.0",
  site: "input",
  language,
  kind: "diagonal",
  tokens: 10,
  width: values.length,
  values: Float32Array.from(values),
  ...more,
});

async function runStage(statistics: Statistic[], options = {}): Promise<ArtifactStream> {
  async function* items(): AsyncGenerator<Statistic> {
    yield* statistics;
  }
  const stream = encodeStatistics(items(), {
    model: "m".repeat(64),
    tokenizer: "",
    propagation: "dense",
    unit: "mean a token",
    mix: undefined,
  });
  const { similarity: records } = await similarity.run({ statistics: [stream] }, options, context);
  assert.ok(records);
  return records;
}

const run = async (statistics: Statistic[], options?: object): Promise<SimilarityRecord[]> =>
  collect(readSimilarities(await runStage(statistics, options)));

async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

test("compares the first block's input alone", async () => {
  const records = await run([
    diagonal("mr", [0, 4]),
    diagonal("en", [3, 0]),
    diagonal("en", [9, 9], { site: "mlp-up" }),
    diagonal("en", [1, 1], { block: "h.1" }),
    diagonal("mr", [1, 1], { block: "h.1" }),
  ]);
  assert.equal(
    records.map(({ block, site, measure, first, second, value }) => [block, site, measure, first, second, Math.round(value)]),
    [
      ["h.0", "input", "cosine", "en", "mr", 0],
      ["h.0", "input", "degrees", "en", "mr", 90],
      ["h.0", "input", "euclidean", "en", "mr", 5],
    ],
  );
});

test("the default keeps its content address", async () => {
  const { address } = await contentAddress(await runStage([diagonal("mr", [0, 4]), diagonal("en", [3, 0])]));
  assert.is(address, "f4927011447f23790d866a7a7a95562583b2f2e87c5867d69ccafd63d298d2b1");
});

test("refuses a language that put nothing into the block: it has no direction", async () => {
  for (const sites of ["first-input", "all"]) {
    const error = await failure(run([diagonal("en", [1, 2]), diagonal("mr", [0, 0])], { sites }));
    assert.instance(error, BadDataError);
    assert.match((error as Error).message, /^statistics of h\.0 input: mr is zero in every channel; capture again$/);
  }
});

test("refuses one language, a language twice, two widths and unknown options", async () => {
  assert.instance(await failure(run([diagonal("en", [1, 2])])), BadDataError);
  assert.instance(await failure(run([diagonal("en", [1, 2]), diagonal("en", [1, 2])])), BadDataError);
  assert.instance(await failure(run([diagonal("en", [1, 2]), diagonal("mr", [1])])), BadDataError);
  assert.instance(await failure(similarity.run({}, { colour: "red" }, context)), UsageError);
});

test.run();
