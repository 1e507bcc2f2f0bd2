import { fileURLToPath } from "node:url";
import { collect, encodeFactors, parseMetadata, readAllocation, readLayers, type FactorRecord } from "@mbs/artifacts";
import { at, BadDataError, UsageError, type ArtifactStream } from "@mbs/contracts";
import { openModel, type Model } from "@mbs/models";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { pruningErrors } from "@mbs/solvers";
import { sparsityChoices, withMean } from "../src/allocation/sparsity/pruning-damage.ts";
import { allocate, compress } from "../src/index.ts";
import { readSite } from "../src/site/site-weight.ts";
import { rejects } from "./rejects.ts";
import { factorsOf, factorStream, recordingContext, shortSegments, withTinyModel } from "./tiny-site.ts";

type Options = Readonly<Record<string, unknown>>;

test("choices are multiples of 0.05 around the target, and the mean is moved onto it", () => {
  assert.equal(sparsityChoices(0.5, 0.1), [0.4, 0.45, 0.5, 0.55, 0.6]);
  assert.equal(sparsityChoices(0.92, 0.05), [0.9, 0.92, 0.95]);
  assert.equal(sparsityChoices(0.03, 0.05), [0, 0.03, 0.05]);
  const rows = [
    { parameters: 10, sparsity: 0.7 },
    { parameters: 30, sparsity: 0.5 },
    { parameters: 20, sparsity: 0 },
  ];
  const moved = withMean(rows, 0.36);
  assert.is(at(moved, 2).sparsity, 0);
  const mean = moved.reduce((sum, { parameters, sparsity }) => sum + parameters * sparsity, 0) / 60;
  assert.ok(Math.abs(mean - 0.36) < 1e-12, String(mean));
});

test("no sparsity is lowered below 0, and the others are by as much more", () => {
  const rows = [
    { parameters: 10, sparsity: 0.3 },
    { parameters: 10, sparsity: 0.05 },
    { parameters: 20, sparsity: 0.1 },
  ];
  const moved = withMean(rows, 0.1);
  // 5.5 of 40 weights are to be 4: 1.5 less, of all alike
  assert.ok(moved.every(({ sparsity }, index) => Math.abs(at(rows, index).sparsity - sparsity - 0.0375) < 1e-12));
  const least = withMean(rows, 0.05).map(({ sparsity }) => sparsity);
  // the first alone bears the 2 of 40
  assert.ok(Math.abs(at(least, 0) - 0.2) < 1e-12 && Math.abs(at(least, 2)) < 1e-12, least.join());
  assert.is(at(least, 1), 0);
  assert.equal(
    withMean(rows, 0).map(({ sparsity }) => sparsity),
    [0, 0, 0],
  );
});

/** Two languages, of which the second uses every fourth channel more. */
const withLanguages = (record: FactorRecord): FactorRecord => ({
  ...record,
  summary: { ...record.summary, weights: { en: 0.5, mr: 0.5 } },
  languageDiagonals: [
    { language: "en", values: record.diagonal },
    { language: "mr", values: record.diagonal.map((value, channel) => (channel % 4 === 0 ? value * 16 : value)) },
  ],
});

async function allocated(model: Model, options: Options = {}, withSegments = true): Promise<ArtifactStream> {
  const records = (await factorsOf(model)).map(withLanguages);
  const inputs = {
    factors: [factorStream(model.address, records)],
    ...(withSegments && { segments: [shortSegments(model.tokenizerAddress)] }),
  };
  const given = { model: model.path, method: "pruning-damage", sparsity: 0.5, ...options };
  const { allocation } = await allocate.run(inputs, given, recordingContext());
  assert.ok(allocation);
  return allocation;
}

const damageOf = async (stream: ArtifactStream): Promise<number> =>
  (await collect(readAllocation(stream))).reduce((sum, { importance }) => sum + importance, 0);

test("damage gives each tensor a sparsity of its own, whose mean is the target, and the more freedom the less damage", async () => {
  await withTinyModel({ blocks: 2 }, async (model) => {
    const tensors = model.blocks.flatMap(({ sites }) => sites.flatMap(({ weights }) => weights.map(({ tensor }) => tensor)));
    const stream = await allocated(model);
    const { method, sparsity, options } = parseMetadata("allocation", stream.schema);
    assert.equal([method, sparsity, options], ["pruning-damage", 0.5, { average: "weighted", spread: 0.2 }]);
    const rows = await collect(readAllocation(stream));
    assert.equal(
      rows.map(({ tensor }) => tensor),
      tensors,
    );
    assert.ok(rows.every((row) => Math.abs(row.sparsity - 0.5) <= 0.2 + 1e-9 && row.importance > 0));
    assert.ok(new Set(rows.map((row) => row.sparsity)).size > 1);
    for (const average of ["weighted", "unweighted"]) {
      const damages: number[] = [];
      for (const spread of [0, 0.1, 0.3]) damages.push(await damageOf(await allocated(model, { average, spread })));
      assert.ok(at(damages, 0) > at(damages, 1) && at(damages, 1) > at(damages, 2), damages.join());
    }
    const plain = await collect(readAllocation(await allocated(model, {}, false)));
    assert.not.equal(
      plain.map(({ importance }) => importance),
      rows.map(({ importance }) => importance),
    );
  });
});

/** The damage that an allocation without segments does to the language that it harms most. */
async function worstDamage(model: Model, options: Options): Promise<number> {
  const chosen = await collect(readAllocation(await allocated(model, options, false)));
  const sums = new Map<string, number>();
  for (const record of (await factorsOf(model)).map(withLanguages)) {
    const { weight } = await readSite(model, record);
    const languages = new Map(record.languageDiagonals?.map(({ language, values }) => [language, values]));
    for (const part of weight.parts) {
      const sparsity = chosen.find(({ tensor }) => tensor === part.tensor)?.sparsity ?? NaN;
      for (const [language, [error = NaN]] of pruningErrors(weight, part, record.diagonal, languages, [sparsity])) {
        sums.set(language, (sums.get(language) ?? 0) + error);
      }
    }
  }
  return Math.max(...sums.values());
}

test("the average worst makes the damage to the worst language small", async () => {
  await withTinyModel({ blocks: 2 }, async (model) => {
    const damages: number[] = [];
    for (const spread of [0, 0.1, 0.3]) damages.push(await worstDamage(model, { average: "worst", spread }));
    assert.ok(at(damages, 0) > at(damages, 1) && at(damages, 1) > at(damages, 2), damages.join());
  });
});

test("compress gives each tensor the sparsity allocated to it", async () => {
  await withTinyModel({ blocks: 1 }, async (model) => {
    const wanted = new Map((await collect(readAllocation(await allocated(model)))).map((row) => [row.tensor, row.sparsity]));
    for (const solver of ["wanda", "magnitude", "sparsegpt"]) {
      const inputs = {
        factors: [factorStream(model.address, await factorsOf(model))],
        allocation: [await allocated(model)],
      };
      const { layers } = await compress.run(inputs, { model: model.path, solver }, recordingContext());
      assert.ok(layers);
      assert.match(
        String(parseMetadata("layers", layers.schema).options["allocation"]),
        /^pruning-damage --average weighted --spread 0\.2/,
      );
      for await (const { tensor, summary } of readLayers(layers)) {
        // whole columns of a row of 32 or more
        assert.ok(Math.abs(summary.sparsity - (wanted.get(tensor) ?? NaN)) < 1 / 32, `${solver} ${tensor}: ${summary.sparsity}`);
      }
    }
  });
});

test("what damage of pruning cannot use is refused with the remedy", async () => {
  await withTinyModel({ blocks: 1 }, async (model) => {
    await rejects(() => allocated(model, { spread: 1 }), UsageError, /--spread 1 is unclear; write 1% or 0.01$/);
    await rejects(
      () => allocated(model, { method: "even" }),
      UsageError,
      /--method even chooses bits, which have no --sparsity; leave it out, or take --method uniform or owl or correlation or pruning-damage$/,
    );
    const records = (await factorsOf(model)).slice(1);
    const inputs = { factors: [factorStream(model.address, records)], segments: [shortSegments(model.tokenizerAddress)] };
    const run = () => allocate.run(inputs, { model: model.path, method: "pruning-damage", sparsity: 0.5 }, recordingContext());
    await rejects(run, BadDataError, /the factors have none of its site; factor all blocks/);
    const patterned = async () => {
      const given = { factors: [factorStream(model.address, await factorsOf(model))], allocation: [await allocated(model)] };
      return compress.run(given, { model: model.path, solver: "wanda", pattern: "2:4" }, recordingContext());
    };
    await rejects(
      patterned,
      UsageError,
      /an allocation lets blocks or tensors differ in sparsity, and a pattern is the same everywhere/,
    );
    const mixed = (await factorsOf(model)).map((record) => ({ ...record, summary: withLanguages(record).summary }));
    const weights = { en: 0.5, mr: 0.5 };
    const ofMix = encodeFactors(mixed, { model: model.address, weights, damping: 0.01, order: "natural" });
    const worst = { model: model.path, method: "pruning-damage", sparsity: 0.5, average: "worst" };
    await rejects(
      () => allocate.run({ factors: [ofMix] }, worst, recordingContext()),
      UsageError,
      /--average worst is over languages, and the mix alone is known; factor with --language-diagonals$/,
    );
    assert.ok(allocate.allocationNeeds);
    const { chooses, segments: texts } = await allocate.allocationNeeds({ method: "pruning-damage", sparsity: 0.5 });
    assert.equal([chooses, texts], ["sparsity", true]);
  });
});

test("an encoder-decoder is refused before anything is measured, with methods that need no texts", async () => {
  const folder = fileURLToPath(new URL("../../models/test/fixtures/forward/mt5-f32", import.meta.url));
  const planned = { solver: "wanda", codes: "none" } as const;
  const check = async (options: Options): Promise<void> => allocate.checkPlan?.({ model: folder, ...options }, planned);
  const [sparsity, bits] = [{ sparsity: 0.5 }, { bitsPerWeight: 4 }];
  const pruning =
    /is an encoder-decoder, and --method pruning-damage with segments .* take --method uniform or owl or correlation,/;
  await rejects(() => check({ method: "pruning-damage", ...sparsity }), UsageError, pruning);
  await rejects(() => check({ method: "damage", ...bits }), UsageError, /take --method even,/);
  await check({ method: "owl", ...sparsity });
  const model = await openModel(folder);
  try {
    // factors that name no site of it: none is looked for
    const inputs = { factors: [factorStream(model.address, [])], segments: [shortSegments(model.tokenizerAddress)] };
    const run = () => allocate.run(inputs, { model: folder, method: "pruning-damage", ...sparsity }, recordingContext());
    await rejects(run, UsageError, pruning);
  } finally {
    await model.close();
  }
});

test.run();
