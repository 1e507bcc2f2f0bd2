import { collect, encodeStatistics, expertsSite, inputSite, parseMetadata, readStatistics } from "@mbs/artifacts";
import type { Statistic, StatisticsMetadata } from "@mbs/artifacts";
import { at, FailedPreconditionError } from "@mbs/contracts";
import type { ArtifactStream, Matrix } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import { walkBlock } from "@mbs/models/testing";
import { packUpper, packedDiagonal } from "@mbs/numbers";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { context, controlled, fixture, rotateInto, temporaryFolder, withValues } from "./rotated-model.ts";
import { rotateStatistics } from "../src/index.ts";
import { relativeDifference } from "../../../tools/test/relative-difference.ts";

const { root, remove } = await temporaryFolder();
test.after(remove);

const length = 48;

/** E[x xᵀ], packed. */
function gramOf({ rows, columns, values }: Matrix): Float32Array {
  const sums = new Float64Array(columns * columns);
  for (let row = 0; row < rows; row += 1) {
    const x = values.subarray(row * columns, (row + 1) * columns);
    for (let first = 0; first < columns; first += 1) {
      for (let second = first; second < columns; second += 1) {
        const index = first * columns + second;
        sums[index] = at(sums, index) + (at(x, first) * at(x, second)) / length;
      }
    }
  }
  return packUpper(Float32Array.from(sums), columns);
}

/** The Gram of every site on one text, as capture gives them. */
async function capture(folder: string): Promise<{ statistics: Statistic[]; metadata: StatisticsMetadata }> {
  const model = await openModel(folder);
  const forward = await model.forward({ threads: 1 });
  const tokens = Int32Array.from({ length }, (_, index) => (4 + 7 * index) % model.vocabularySize);
  let states = await forward.embed(tokens);
  const statistics: Statistic[] = [];
  // of larger models the first two blocks
  for (const [index, { name: block }] of model.blocks.slice(0, 2).entries()) {
    const walked = await walkBlock(model, forward, index, states);
    for (const [site, input] of walked.sites) {
      const values = gramOf(input);
      statistics.push({ block, site, language: "en", kind: "gram", tokens: length, width: input.columns, values });
    }
    states = walked.states;
  }
  await forward.close();
  await model.close();
  const { address, tokenizerAddress } = model;
  const metadata = { model: address, tokenizer: tokenizerAddress, propagation: "dense", unit: "mean a token", mix: undefined };
  return { statistics, metadata };
}

interface Moved {
  readonly statistics: readonly Statistic[];
  readonly metadata: StatisticsMetadata;
  readonly lines: readonly string[];
}

async function move(stream: ArtifactStream, model: string, rotated: string): Promise<Moved> {
  const lines: string[] = [];
  const outputs = await rotateStatistics.run({ statistics: [stream] }, { model, rotated }, context(lines));
  const { statistics } = outputs;
  if (statistics === undefined) throw new Error("no statistics");
  const metadata = parseMetadata("statistics", statistics.schema);
  return { metadata, statistics: await collect(readStatistics(statistics)), lines };
}

/**
 * Two walks in float32 that differ in the order of their sums give states that differ by about 1e-6; a Gram has their squares,
 * and dividing by the weights of a norm, which differ by a factor of ten at most, adds a digit. Measured: 3e-6 at most.
 */
const tolerance = 3e-5;

const cases: readonly (readonly [string, Record<string, unknown>])[] = [
  [controlled("controlled-llama"), {}],
  [controlled("controlled-bloom"), {}],
  [fixture("gpt-neox-parallel-f32"), { stream: "random" }],
  [fixture("mixtral-f32"), {}],
  [fixture("gpt2-f32"), { values: "none" }],
  [fixture("gemma3-alternating-f32"), { stream: "none" }],
];
for (const [model, options] of cases) {
  test(`${model.split("/").at(-1)} ${JSON.stringify(options)}: rotated Grams are those that the rotated model has`, async () => {
    const { folder } = await rotateInto(root, model, options);
    const [dense, rotated] = [await capture(model), await capture(folder)];
    const moved = await move(encodeStatistics(dense.statistics, dense.metadata), model, folder);
    assert.is(moved.metadata.model, rotated.metadata.model);
    assert.is(moved.statistics.length, rotated.statistics.length);
    let changed = 0;
    for (const [index, expected] of rotated.statistics.entries()) {
      const found = at(moved.statistics, index);
      assert.equal([found.block, found.site, found.tokens], [expected.block, expected.site, expected.tokens]);
      const difference = relativeDifference(found.values, expected.values);
      assert.ok(difference < tolerance, `${found.block} ${found.site}: ${difference}`);
      if (relativeDifference(found.values, at(dense.statistics, index).values) > 0.01) changed += 1;
    }
    // mlp-down stays as it is, and a site whose side is not rotated
    assert.ok(changed >= moved.statistics.length / 4, `${changed} sites have another basis`);
  });
}

const plain = fixture("plain-f32");
const { folder: rotatedPlain } = await rotateInto(root, plain);
const captured = await capture(plain);

async function refusal(
  statistics: readonly Statistic[],
  change: Partial<StatisticsMetadata> = {},
  rotated = rotatedPlain,
): Promise<Error> {
  try {
    await move(encodeStatistics(statistics, { ...captured.metadata, ...change }), plain, rotated);
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("the statistics were rotated");
}

const diagonalOf = (statistic: Statistic): Statistic => ({
  ...statistic,
  kind: "diagonal",
  values: packedDiagonal(statistic.values, statistic.width),
});

test("statistics of another model, of compressed layers, without Grams, and folders of another rotation are refused", async () => {
  const { statistics } = captured;
  const diagonals = statistics.map(diagonalOf);
  const cases: readonly (readonly [Promise<Error>, RegExp])[] = [
    [refusal(statistics, { model: "f".repeat(64) }), /^the statistics are of the model f{64}/],
    [refusal(statistics, { propagation: "sequential" }), /captured behind compressed layers \(propagation sequential\)/],
    [
      refusal(diagonals),
      /^the diagonal of h\.0 attention-qkv en cannot be rotated, only a Gram can; capture with --statistics gram --grams languages/,
    ],
    [refusal(statistics, {}, plain), /is no rotated model/],
    [refusal(statistics, {}, (await rotateInto(root, fixture("three-heads-f16"))).folder), /was made of the model [0-9a-f]{64}/],
  ];
  for (const [error, message] of cases) {
    assert.instance(await error, FailedPreconditionError);
    assert.match((await error).message, message);
  }
});

test("inputs of blocks are left out, with a line; mean squares of a site whose basis stays are kept", async () => {
  const [first] = captured.statistics;
  const down = captured.statistics.find(({ site }) => site === "mlp-down");
  if (first === undefined || down === undefined) throw new Error("nothing was captured");
  const given = [{ ...first, site: inputSite }, first, diagonalOf(down)];
  const moved = await move(encodeStatistics(given, captured.metadata), plain, rotatedPlain);
  assert.equal(
    moved.statistics.map(({ site, kind }) => `${site} ${kind}`),
    ["attention-qkv gram", "mlp-down diagonal"],
  );
  assert.equal(moved.statistics[1]?.values, diagonalOf(down).values);
  assert.is(moved.lines.length, 1);
  assert.match(moved.lines[0] ?? "", /^inputs of blocks \(site input\) are left out/);
});

test("how a router shares out tokens stays as it was", async () => {
  const [first] = captured.statistics;
  if (first === undefined) throw new Error("nothing was captured");
  const shares: Statistic = {
    ...first,
    site: expertsSite,
    kind: "diagonal",
    width: 4,
    values: Float32Array.of(1, 0, 0.25, 0.75),
  };
  const moved = await move(encodeStatistics([shares, first], captured.metadata), plain, rotatedPlain);
  assert.equal(moved.statistics[0], shares);
});

test("a norm weight near zero is refused by name", async () => {
  const norm = "model.layers.1.input_layernorm.weight";
  const model = await withValues(root, "llama-grouped-f32", norm, (values) => void (values[3] = 1e-9));
  const { folder } = await rotateInto(root, model);
  const { statistics, metadata } = await capture(model);
  const error: unknown = await move(encodeStatistics(statistics, metadata), model, folder).catch((reason: unknown) => reason);
  assert.instance(error, FailedPreconditionError);
  assert.match(
    String(error),
    /model\.layers\.1\.input_layernorm\.weight has 9\.99\S+e-10 in channel 3, too near zero to divide by/,
  );
});

test.run();
