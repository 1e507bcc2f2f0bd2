import { collect, encodeAllocation, parseMetadata, readAllocation, readLayers, type FactorRecord } from "@mbs/artifacts";
import { at, BadDataError, InterruptedError, UsageError, type ArtifactStream } from "@mbs/contracts";
import type { Model } from "@mbs/models";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { allocate, compress } from "../src/index.ts";
import { rejects } from "./rejects.ts";
import { factorsOf, factorStream, makeFactor, recordingContext, withTinyModel } from "./tiny-site.ts";

type Options = Readonly<Record<string, unknown>>;

async function allocationOf(
  model: Model,
  records: readonly FactorRecord[],
  options: Options,
  context = recordingContext(),
): Promise<ArtifactStream> {
  const inputs = { factors: [factorStream(model.address, records)] };
  const { allocation } = await allocate.run(inputs, { model: model.path, method: "owl", sparsity: 0.6, ...options }, context);
  assert.ok(allocation);
  return allocation;
}

/** Two languages that agree less from block to block. */
function withLanguages(record: FactorRecord): FactorRecord {
  const block = Number(record.block.slice(2));
  const own = record.diagonal.map((value, column) => value + (column % 5) * block);
  const languageDiagonals = [
    { language: "en", values: record.diagonal },
    { language: "mr", values: own },
  ];
  return { ...record, summary: { ...record.summary, weights: { en: 0.5, mr: 0.5 } }, languageDiagonals };
}

test("uniform gives every block the target; owl and correlation keep it over all weights", async () => {
  await withTinyModel({ blocks: 3 }, async (model) => {
    const records = (await factorsOf(model)).map(withLanguages);
    const parameters = model.blocks.map(({ sites }) =>
      sites.reduce((sum, { width, weights }) => sum + width * weights.reduce((rows, weight) => rows + weight.rows, 0), 0),
    );
    for (const [options, spread] of [
      [{ method: "uniform" }, 0],
      [{ method: "owl", outlier: 2, spread: 0.1 }, 0.2],
      [{ method: "correlation" }, 0.16],
    ] as const) {
      const stream = await allocationOf(model, records, options);
      const { method, sparsity, weights } = parseMetadata("allocation", stream.schema);
      assert.equal([method, sparsity, weights], [options.method, 0.6, { en: 1 }]);
      const blocks = await collect(readAllocation(stream));
      assert.equal(
        blocks.map((block) => [block.block, block.parameters]),
        model.blocks.map(({ name }, index) => [name, parameters[index]]),
      );
      const shares = blocks.map((block) => block.sparsity);
      assert.ok(Math.abs(shares.reduce((sum, share) => sum + share, 0) / 3 - 0.6) < 1e-12, shares.join());
      assert.ok(Math.abs(Math.max(...shares) - Math.min(...shares) - spread) < 1e-12, shares.join());
    }
    const correlations = await collect(readAllocation(await allocationOf(model, records, { method: "correlation" })));
    const [first, second, third] = correlations;
    assert.ok(first && second && third);
    assert.ok(first.importance > second.importance && second.importance > third.importance);
    assert.ok(first.sparsity < second.sparsity && second.sparsity < third.sparsity);
  });
});

test("allocate refuses what it cannot use, with the remedy", async () => {
  await withTinyModel({ blocks: 2 }, async (model) => {
    const records = await factorsOf(model);
    const run =
      (options: Options, given: readonly FactorRecord[] = records) =>
      async () =>
        collect(readAllocation(await allocationOf(model, given, options)));
    await rejects(run({ method: "correlation" }), BadDataError, /no diagonals of languages; factor with --language-diagonals/);
    await rejects(
      run({ method: "owls" }),
      UsageError,
      /--method takes one of uniform, owl, correlation, pruning-damage, damage, even, not "owls"/,
    );
    await rejects(run({ method: "uniform", outlier: 3 }), UsageError, /outlier belongs to method owl, not to uniform/);
    await rejects(run({ method: undefined }), UsageError, /allocate: --method is required/);
    await rejects(
      run({ method: undefined, bitsPerWeight: 3 }),
      UsageError,
      /bits-per-weight belongs to method damage or even, and --method is not given/,
    );
    await rejects(run({ sparsity: undefined }), UsageError, /allocate: --sparsity is required/);
    await rejects(run({ sparsity: 0.999, outlier: 2 }), UsageError, /take a smaller --spread/);
    await rejects(run({}, [at(records, 0), at(records, 4), at(records, 1)]), BadDataError, /factors of h\.0 are scattered/);
    await rejects(run({}, []), BadDataError, /the factors hold no site; factor again/);
    const statistics = { factors: [factorStream(model.address, records)], statistics: [factorStream(model.address, records)] };
    const given = { model: model.path, method: "owl", sparsity: 0.5 };
    await rejects(
      () => allocate.run(statistics, given, recordingContext()),
      UsageError,
      /--method owl reads the factors alone; leave out --statistics, .* factor with --language-diagonals$/,
    );
    const stopped = { ...recordingContext(), signal: AbortSignal.abort() };
    await rejects(async () => collect(readAllocation(await allocationOf(model, records, {}, stopped))), InterruptedError, /stop/);
    const other = { factors: [factorStream("0".repeat(64), records)] };
    const options = { model: model.path, method: "owl", sparsity: 0.5 };
    await rejects(() => allocate.run(other, options, recordingContext()), BadDataError, /the factors are of model 0{64}/);
    assert.ok(allocate.moreOptions);
    assert.equal(await allocate.moreOptions({}), {});
    assert.ok("favour" in (await allocate.moreOptions({ method: "correlation" })));
  });
});

/** An allocation by hand. */
const allocationFor = (model: string, blocks: Readonly<Record<string, number>>): ArtifactStream =>
  encodeAllocation(
    Object.entries(blocks).map(([block, sparsity]) => ({ block, parameters: 1, importance: 0, sparsity })),
    { model, method: "owl", options: { spread: 0.1, outlier: 5 }, sparsity: 0.6, weights: { en: 1 } },
  );

test("compress gives each block the sparsity allocated to it, and records where it is from", async () => {
  await withTinyModel({ blocks: 2 }, async (model) => {
    const records = await factorsOf(model);
    for (const [solver, sparsity] of [
      ["wanda", undefined],
      ["magnitude", 0.6],
      ["sparsegpt", 0.5],
    ] as const) {
      const inputs = {
        factors: [factorStream(model.address, records)],
        allocation: [allocationFor(model.address, { "h.0": 0.35, "h.1": 0.85 })],
      };
      const { layers } = await compress.run(inputs, { model: model.path, solver, sparsity }, recordingContext());
      assert.ok(layers);
      const { options } = parseMetadata("layers", layers.schema);
      assert.equal([options["sparsity"], options["allocation"]], [0.6, "owl --outlier 5 --spread 0.1"]);
      for await (const { block, summary } of readLayers(layers)) {
        assert.ok(Math.abs(summary.sparsity - (block === "h.0" ? 0.35 : 0.85)) < 0.04, `${solver} ${block}: ${summary.sparsity}`);
      }
    }
  });
});

test("an allocation that fits neither solver nor model is refused with the remedy", async () => {
  await withTinyModel({ blocks: 2 }, async (model) => {
    const record = await makeFactor("h.0", "mlp-down", 128);
    const run = (options: Options, allocation: ArtifactStream) => async () => {
      const inputs = { factors: [factorStream(model.address, [record])], allocation: [allocation] };
      const { layers } = await compress.run(inputs, { model: model.path, ...options }, recordingContext());
      assert.ok(layers);
      return collect(readLayers(layers));
    };
    const fitting = () => allocationFor(model.address, { "h.0": 0.6 });
    await rejects(
      run({ solver: "gptq" }, fitting()),
      UsageError,
      /an allocation spreads a sparsity, and solver gptq has none; leave it out, or take one that prunes/,
    );
    await rejects(run({ solver: "wanda", pattern: "2:4" }, fitting()), UsageError, /a pattern is the same everywhere/);
    await rejects(run({ solver: "wanda", sparsity: 0.7 }, fitting()), UsageError, /--sparsity 0\.7 is not the 0\.6 that was/);
    const partial = allocationFor(model.address, { "h.1": 0.6 });
    await rejects(run({ solver: "wanda" }, partial), BadDataError, /allocation has no block h\.0; allocate from all blocks/);
    const other = allocationFor(model.address, { "h.7": 0.6 });
    await rejects(
      run({ solver: "wanda" }, other),
      BadDataError,
      /^allocation: block h\.7: the model has no such block; allocate again/,
    );
    const large = { block: "h.0", parameters: 1e12, importance: 0, sparsity: 0.5 };
    const about = { model: model.address, method: "owl", options: {}, sparsity: 0.5, weights: { en: 1 } };
    await rejects(
      run({ solver: "wanda" }, encodeAllocation([large], about)),
      BadDataError,
      /block h\.0: parameters is 1000000000000, the model's has \d+; allocate again/,
    );
    const foreign = allocationFor("0".repeat(64), { "h.0": 0.6 });
    await rejects(run({ solver: "wanda" }, foreign), BadDataError, /the allocation is of model 0{64}.*allocate again/);
  });
});

test.run();
