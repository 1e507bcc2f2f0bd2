import {
  collect,
  encodeBitAllocation,
  encodeFactors,
  encodeStatistics,
  layerShape,
  parseMetadata,
  readBitAllocation,
  readLayers,
  statisticsUnits,
  type FactorRecord,
  type Statistic,
  type TensorAllocation,
} from "@mbs/artifacts";
import { at, BadDataError, parseOptions, UsageError, type ArtifactStream } from "@mbs/contracts";
import { openModel, type Model } from "@mbs/models";
import { putValue } from "@mbs/models/testing";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { storedBits } from "../src/allocation/bits/bit-budget.ts";
import { chooseLeast, type ChoiceUnit } from "../src/allocation/choice-program.ts";
import { allocate, compress } from "../src/index.ts";
import { rejects } from "./rejects.ts";
import { factorsOf, factorStream, recordingContext, shortSegments, withTinyModel } from "./tiny-site.ts";

type Options = Readonly<Record<string, unknown>>;

/** All choices of a few units, for comparison. */
function leastByTrial(units: readonly ChoiceUnit[], limit: number): number {
  const walk = (unit: number, size: number, sums: readonly number[]): number => {
    if (size > limit) return Infinity;
    if (unit === units.length) return Math.max(...sums);
    return Math.min(
      ...at(units, unit).choices.map((choice) =>
        walk(
          unit + 1,
          size + choice.size,
          choice.costs.map((cost, index) => cost + (sums[index] ?? 0)),
        ),
      ),
    );
  };
  return walk(0, 0, []);
}

test("the program finds what trying all choices finds, for one sum and for the largest of three", async () => {
  for (const sums of [1, 3]) {
    const units = Array.from({ length: 6 }, (_, unit) => ({
      choices: [2, 3, 4, 8].map((bits) => ({
        name: String(bits),
        size: (unit + 1) * bits,
        costs: Array.from({ length: sums }, (_, sum) => ((unit * 7 + sum * 5) % 11) * 4 ** -bits + 1e-5),
      })),
    }));
    const limit = 21 * 3.3;
    const chosen = await chooseLeast(units, limit);
    const taken = chosen.map((index, unit) => at(at(units, unit).choices, index));
    assert.ok(taken.reduce((sum, { size }) => sum + size, 0) <= limit + 1e-6);
    const worst = Math.max(
      ...Array.from({ length: sums }, (_, sum) => taken.reduce((all, { costs }) => all + at(costs, sum), 0)),
    );
    // the solver stops where nothing better by 1e-4 is left, and its tolerances are 1e-6 of the largest cost
    assert.ok(worst <= leastByTrial(units, limit) * (1 + 2e-4) + 1e-6, `${sums}: ${worst}`);
  }
});

test("sizes count scales, and zero points of asymmetric grids; sizes of files are powers of 1000", () => {
  assert.is(
    storedBits({ rows: 4, columns: 100 }, { kind: "groups", bits: 3, groupSize: 64, zeroPoints: "any" }),
    4 * (300 + 2 * 19),
  );
  assert.is(
    storedBits({ rows: 4, columns: 100 }, { kind: "groups", bits: 4, groupSize: 0, zeroPoints: "middle" }),
    4 * (400 + 16),
  );
});

/** Statistics of two languages, of which the second uses every fourth channel four times as much. */
function languageStatistics(
  address: string,
  records: readonly FactorRecord[],
  languages: readonly string[] = ["en", "mr"],
): ArtifactStream {
  const statistics = records.flatMap(({ block, site, width, diagonal }) =>
    languages.map((language): Statistic => {
      const values = diagonal.map((value, channel) => (language === "mr" && channel % 4 === 0 ? value * 16 : value));
      return { block, site, language, kind: "diagonal", tokens: 10, width, values };
    }),
  );
  const about = { tokenizer: "t", propagation: "dense", unit: statisticsUnits.plain, mix: undefined };
  return encodeStatistics(statistics, { model: address, ...about });
}

const averaged = (average: string): Given => ({ options: { bitsPerWeight: 3.5, average }, statistics: true });

interface Given {
  readonly options: Options;
  readonly statistics?: boolean;
  readonly segments?: boolean;
  /** What statistics and segments are of, where it is not the model. */
  readonly origin?: { readonly address?: string; readonly tokenizer?: string };
}

async function allocated(model: Model, given: Given): Promise<ArtifactStream> {
  const { options, statistics = false, segments = false } = given;
  const { address = model.address, tokenizer = model.tokenizerAddress } = given.origin ?? {};
  const records = await factorsOf(model);
  const inputs = {
    factors: [factorStream(model.address, records)],
    ...(statistics && { statistics: [languageStatistics(address, records)] }),
    ...(segments && { segments: [shortSegments(tokenizer)] }),
  };
  const raw = { model: model.path, method: "damage", groupSize: 32, ...options };
  const { allocation } = await allocate.run(inputs, raw, recordingContext());
  assert.ok(allocation);
  return allocation;
}

const rowsOf = async (stream: ArtifactStream): Promise<TensorAllocation[]> => collect(readBitAllocation(stream));

const gridBits = ({ grid }: TensorAllocation): number => (grid.kind === "groups" ? grid.bits : 0);
const gridType = ({ grid }: TensorAllocation): string => (grid.kind === "blocks" ? grid.type : "");

const bitsOf = (rows: readonly TensorAllocation[]): number[] => rows.map(gridBits);

const damageOf = (rows: readonly TensorAllocation[]): number => rows.reduce((sum, { importance }) => sum + importance, 0);

test("damage gives each tensor bits within the size, and more size means less damage", async () => {
  await withTinyModel({ blocks: 2 }, async (model) => {
    const tensors = model.blocks.flatMap(({ sites }) => sites.flatMap(({ weights }) => weights.map(({ tensor }) => tensor)));
    const damages: number[] = [];
    for (const bitsPerWeight of [3.2, 3.9, 4.6]) {
      const stream = await allocated(model, { options: { bitsPerWeight } });
      const used = parseMetadata("allocation", stream.schema).bitsPerWeight;
      assert.ok(used !== undefined && used <= bitsPerWeight && used > bitsPerWeight - 0.3, String(used));
      const rows = await rowsOf(stream);
      assert.equal(
        rows.map(({ tensor }) => tensor),
        tensors,
      );
      damages.push(damageOf(rows));
    }
    assert.ok(at(damages, 0) > at(damages, 1) && at(damages, 1) > at(damages, 2), damages.join());
    const chosen = await rowsOf(await allocated(model, { options: { bitsPerWeight: 5, bits: ["3", "8"] } }));
    assert.equal([...new Set(bitsOf(chosen))].sort(), [3, 8]);
    const together = await rowsOf(await allocated(model, { options: { bitsPerWeight: 3.9, unit: "site" } }));
    for (const { sites } of model.blocks) {
      for (const { weights } of sites) {
        const own = weights.map(({ tensor }) => together.filter((row) => row.tensor === tensor).map(gridBits)[0]);
        assert.is(new Set(own).size, 1);
      }
    }
  });
});

test("damage reads the languages, and the change of the model's output", async () => {
  await withTinyModel({ blocks: 2 }, async (model) => {
    const worst = await rowsOf(await allocated(model, averaged("worst")));
    assert.ok(worst.every(({ importance }) => importance > 0));
    const plain = await rowsOf(await allocated(model, averaged("unweighted")));
    const weighed = await rowsOf(await allocated(model, { ...averaged("unweighted"), segments: true }));
    const ratios = weighed.map((own) => {
      const same = plain.find((row) => row.tensor === own.tensor);
      return same && gridBits(same) === gridBits(own) ? own.importance / same.importance : undefined;
    });
    const known = ratios.filter((ratio) => ratio !== undefined);
    assert.ok(known.length > 1 && Math.max(...known) > 1.01 * Math.min(...known), known.join());
  });
});

/** What a tensor of some width may be with --types Q2_K,Q4_K,Q6_K: the tiny model's rows are no whole super-blocks. */
const fallbackBits = new Map([
  ["Q4_0", 4.5],
  ["Q5_0", 5.5],
  ["Q8_0", 8.5],
]);

test("types are chosen within the size, with their fallbacks, and compress makes the blocks of each", async () => {
  await withTinyModel({ blocks: 2 }, async (model) => {
    for (const method of ["damage", "even"]) {
      const given = { options: { method, bitsPerWeight: 6, types: ["Q6_K", "Q2_K", "Q4_K"], groupSize: undefined } };
      const stream = await allocated(model, given);
      const { bitsPerWeight } = parseMetadata("allocation", stream.schema);
      const rows = await rowsOf(stream);
      const bits = rows.reduce((sum, row) => sum + row.parameters * (fallbackBits.get(gridType(row)) ?? NaN), 0);
      const weights = rows.reduce((sum, { parameters }) => sum + parameters, 0);
      assert.is(bitsPerWeight, bits / weights);
      assert.ok(bits / weights <= 6 && bits / weights > 5.4, String(bits / weights));
      assert.equal(new Set(bitsOf(rows)), new Set([0]));
      const made = await compressed(model, await allocated(model, given), { solver: "gptq", groupSize: undefined });
      assert.match(String(parseMetadata("layers", made.schema).options["allocation"]), /--types Q6_K,Q2_K,Q4_K/);
      const layers = await collect(readLayers(made));
      assert.equal(
        new Map(layers.map(({ tensor, summary }) => [tensor, summary.grid])),
        new Map(rows.map((row) => [row.tensor, gridType(row)])),
      );
      for (const layer of layers) {
        const { summary, blocks } = layer;
        const { rows: height, columns } = layerShape(layer);
        assert.is(blocks?.data.length, (height * columns * (fallbackBits.get(summary.grid ?? "") ?? NaN)) / 8);
      }
    }
  });
});

test("rows that no blocks hold get no type and stay uncompressed", async () => {
  await withTinyModel({ blocks: 1, hiddenSize: 24 }, async (model) => {
    const given = { options: { bitsPerWeight: 6, types: ["Q4_0", "Q8_0"], groupSize: undefined } };
    const tensors = (await rowsOf(await allocated(model, given))).map(({ tensor }) => tensor);
    assert.is(tensors.length, 1);
    const layers = await compressed(model, await allocated(model, given), { solver: "rtn", groupSize: undefined });
    assert.equal(
      (await collect(readLayers(layers))).map(({ tensor }) => tensor),
      tensors,
    );
  });
});

test("damage says what it computes, and even that it is nothing to speak of", async () => {
  const options = { method: "damage", model: "m", bitsPerWeight: 3, bits: ["2", "4"], groupSize: 32, rows: 0 };
  const work = await allocate.allocationWork?.(options);
  assert.equal(work?.options, { sweeps: 0, qep: 0 });
  assert.equal(work?.grids, [
    { kind: "groups", bits: 2, groupSize: 32, zeroPoints: "any" },
    { kind: "groups", bits: 4, groupSize: 32, zeroPoints: "middle" },
  ]);
  assert.equal([work?.solver, work?.rows, work?.passes], ["gptq", Infinity, 4]);
  const types = await allocate.allocationWork?.({ method: "damage", model: "m", bitsPerWeight: 3, types: ["Q4_K", "Q2_K"] });
  assert.equal(types?.grids, [
    { kind: "blocks", type: "Q2_K" },
    { kind: "blocks", type: "Q4_K" },
  ]);
  assert.is(await allocate.allocationWork?.({ method: "even", model: "m", bitsPerWeight: 3 }), undefined);
});

test("even gives one more bit to as many tensors as fit, and no other", async () => {
  await withTinyModel({ blocks: 4 }, async (model) => {
    const stream = await allocated(model, { options: { method: "even", bitsPerWeight: 4.1 } });
    const { bitsPerWeight } = parseMetadata("allocation", stream.schema);
    assert.ok(bitsPerWeight !== undefined && bitsPerWeight <= 4.1 && bitsPerWeight > 3.9, String(bitsPerWeight));
    assert.equal([...new Set(bitsOf(await rowsOf(stream)))].sort(), [3, 4]);
  });
});

test("even needs the model alone, and damage more", async () => {
  await withTinyModel({ blocks: 2 }, async (model) => {
    const even = { model: model.path, method: "even", bitsPerWeight: 4.1, groupSize: 32, withoutFactors: true };
    const { allocation } = await allocate.run({}, even, recordingContext());
    assert.ok(allocation);
    const found = await rowsOf(allocation);
    assert.equal(found, await rowsOf(await allocated(model, { options: { method: "even", bitsPerWeight: 4.1 } })));
    const damage = async () => allocate.run({}, { ...even, method: "damage" }, recordingContext());
    await rejects(damage, UsageError, /--method damage reads statistics; give it factors instead of --without-factors/);
    assert.ok(allocate.allocationNeeds);
    const { chooses, statistics } = await allocate.allocationNeeds({ method: "even" });
    assert.equal([chooses, statistics], ["bits", "none"]);
  });
});

test("tensors whose rows no blocks hold get no type, and are not tried on texts either", async () => {
  await withTinyModel({ blocks: 1, hiddenSize: 16 }, async (model) => {
    const options = { types: ["Q4_0", "Q8_0"], bitsPerWeight: 9, groupSize: undefined };
    const stream = await allocated(model, { options, segments: true });
    // 64 columns; all others have 16
    assert.equal(
      (await rowsOf(stream)).map((row) => [row.tensor.replace(/^.*mlp/, "mlp"), gridType(row)]),
      [["mlp.dense_4h_to_h.weight", "Q8_0"]],
    );
  });
});

test("types and bits that there are not are refused as options are parsed, before what follows from them", async () => {
  const table = (await allocate.moreOptions?.({ method: "damage" })) ?? {};
  assert.throws(() => parseOptions(table, { types: ["Q2_K", "FOO"] }, "allocate"), /--types takes types of GGUF .*, not "FOO"$/);
  assert.throws(() => parseOptions(table, { bits: "3,9" }, "allocate"), /--bits takes whole numbers from 2 to 8, .*, not "9"$/);
});

test("allocate refuses sizes that nothing fits into, with what would fit", async () => {
  await withTinyModel({ blocks: 1 }, async (model) => {
    const run = (options: Options) => async () => allocated(model, { options });
    await rejects(run({}), UsageError, /give it --bits-per-weight or --size; to prune, take --method pruning-damage/);
    await rejects(
      run({ bitsPerWeight: 2.1 }),
      UsageError,
      /the weights take 2\.\d+ bits a weight; give more bits a weight, or larger groups/,
    );
    await rejects(
      run({ size: "1kB" }),
      UsageError,
      /the weights take [\d.]+MB \(of a million bytes\), of which [\d.]+MB are not chosen for; give a larger size, or larger groups/,
    );
    await rejects(run({ bitsPerWeight: 3, size: "1MB" }), UsageError, /exclude each other/);
    await rejects(run({ bitsPerWeight: 3, bits: ["9"] }), UsageError, /--bits takes whole numbers from 2 to 8/);
    await rejects(run({ bitsPerWeight: 3, types: ["Q4_K"] }), UsageError, /--types and --group-size exclude each other/);
    const types = { types: ["Q4_K"], groupSize: undefined };
    await rejects(
      run({ ...types, bitsPerWeight: 5 }),
      UsageError,
      /smallest type everywhere the weights take 5\.500 bits a weight/,
    );
    await rejects(
      run({ ...types, types: ["IQ1_S"], bitsPerWeight: 5 }),
      UsageError,
      /--types takes types of GGUF \(Q8_0, .*\), not "IQ1_S"/,
    );
    // blocks that no GGUF file has
    await rejects(
      run({ ...types, types: ["NVFP4"], bitsPerWeight: 5 }),
      UsageError,
      /types of GGUF \([^)]*MXFP4[^)]*\), not "NVFP4"/,
    );
    await rejects(run({ bitsPerWeight: 3, typeMix: "Q4_K_M" }), UsageError, /--type-mix is of GGUF files; give --types too/);
    await rejects(run({ bitsPerWeight: 3, sparsity: 0.5 }), UsageError, /--method damage chooses bits, which have no --sparsity/);
  });
});

test("a size that is too small is refused before the run, and of a model that is trimmed later where the weights alone exceed it", async () => {
  await withTinyModel({ blocks: 1 }, async (model) => {
    const check = (options: Options, isTrimmedLater = false) =>
      allocate.checkPlan?.(
        { model: model.path, method: "even", bits: ["2"], groupSize: 0, ...options },
        { solver: "rtn", codes: "unknown", isTrimmedLater },
      );
    const codes = at(model.blocks, 0).sites.flatMap(({ width, weights }) =>
      weights.map(({ rows }) => rows * ((width * 2) / 8 + 3)),
    );
    const bytes = codes.reduce((sum, own) => sum + own, 0);
    const size = `${(bytes + 1000) / 1000}kB`;
    await rejects(async () => check({ size }), UsageError, /weights take .* are not chosen for; give a larger size/);
    await check({ size }, true);
    await check({ size: "1GB" });
    const below = async () => check({ size: `${(bytes - 1000) / 1000}kB` }, true);
    await rejects(below, UsageError, /without embedding and head, of which trim keeps a part; give a larger size/);
    const narrow = async () => check({ size: "1kB", bits: undefined, groupSize: undefined, types: ["Q2_K"] }, true);
    await rejects(narrow, UsageError, /give a larger size, or types as small as MXFP4$/);
    const least = async () => check({ size: "1kB", bits: undefined, groupSize: undefined, types: ["MXFP4"] }, true);
    await rejects(least, UsageError, /give a larger size$/);
  });
});

test("statistics of another model and segments of another tokenizer are refused, with both addresses", async () => {
  await withTinyModel({ blocks: 1 }, async (model) => {
    const run = (origin: Given["origin"] & object) => async () =>
      allocated(model, { options: { bitsPerWeight: 3.9 }, statistics: true, segments: true, origin });
    await rejects(
      run({ address: "another" }),
      BadDataError,
      new RegExp(`^the statistics are of model another, .* is ${model.address}; capture again$`),
    );
    await rejects(
      run({ tokenizer: "another" }),
      BadDataError,
      new RegExp(`^the segments are of tokenizer another, the model's is ${model.tokenizerAddress}; sample again$`),
    );
  });
});

async function compressed(model: Model, allocation: ArtifactStream, options: Options) {
  const inputs = { factors: [factorStream(model.address, await factorsOf(model))], allocation: [allocation] };
  const given = { model: model.path, ...options };
  const { layers } = await compress.run(inputs, given, recordingContext());
  assert.ok(layers);
  return layers;
}

test("statistics without a language of the factors, and an average over languages of the mix alone, are refused", async () => {
  await withTinyModel({ blocks: 1 }, async (model) => {
    const weights = { en: 0.5, mr: 0.5 };
    const records = (await factorsOf(model)).map((record) => ({ ...record, summary: { ...record.summary, weights } }));
    const factors = () => encodeFactors(records, { model: model.address, weights, damping: 0.01, order: "natural" });
    const run = (languages: readonly string[] | undefined, average: string) => async () => {
      const statistics = languages && [languageStatistics(model.address, records, languages)];
      const inputs = { factors: [factors()], ...(statistics && { statistics }) };
      const options = { model: model.path, method: "damage", groupSize: 32, bitsPerWeight: 3.9, average };
      const { allocation } = await allocate.run(inputs, options, recordingContext());
      assert.ok(allocation);
      return rowsOf(allocation);
    };
    for (const languages of [["de", "fr"], ["mr"], ["de"]]) {
      await rejects(
        run(languages, "weighted"),
        BadDataError,
        new RegExp(`the factors mix en, mr, the statistics are of ${languages.join(", ")}; give statistics of every language`),
      );
    }
    await rejects(
      run(undefined, "worst"),
      UsageError,
      /--average worst is over languages, .* the mix alone .*; give --statistics/,
    );
    assert.ok((await run(undefined, "weighted")()).length > 0);
    assert.ok((await run(["en", "fr", "mr"], "weighted")()).every(({ importance }) => importance > 0));
  });
});

test("an allocation whose rows are not the model's is refused before anything is compressed", async () => {
  await withTinyModel({ blocks: 2 }, async (model) => {
    const stream = await allocated(model, { options: { method: "even", bitsPerWeight: 4.1 } });
    const metadata = parseMetadata("allocation", stream.schema);
    const rows = await rowsOf(stream);
    const types = rows.map((row) => ({ ...row, grid: { kind: "blocks" as const, type: "Q6_K" } }));
    for (const [own, change, bitsPerWeight, pattern] of [
      [rows, { parameters: 5 }, metadata.bitsPerWeight, /parameters is 5, the model's has \d+; allocate again/],
      [rows, { block: "h.1" }, metadata.bitsPerWeight, /of h\.1: the model has it in h\.0; allocate again/],
      [rows, { tensor: "x.weight" }, metadata.bitsPerWeight, /tensor x\.weight of h\.0: the model has no such tensor/],
      [types, {}, 6.5625, /type is "Q6_K", and its \d+ columns are no whole blocks of that; allocate again/],
    ] as const) {
      const changed = encodeBitAllocation([{ ...at(own, 0), ...change }, ...own.slice(1)], { ...metadata, bitsPerWeight });
      await rejects(async () => compressed(model, changed, { solver: "gptq" }), BadDataError, pattern);
    }
  });
});

test("compress gives each tensor its bits, as if it were alone, with grids by its own bits", async () => {
  await withTinyModel({ blocks: 1 }, async (model) => {
    const given = { options: { bitsPerWeight: 3.9, bits: ["3", "4"] } };
    const bits = new Map((await rowsOf(await allocated(model, given))).map((row) => [row.tensor, gridBits(row)]));
    assert.equal([...new Set(bits.values())].sort(), [3, 4]);
    const layers = await compressed(model, await allocated(model, given), { solver: "gptq" });
    const { options } = parseMetadata("layers", layers.schema);
    assert.match(String(options["allocation"]), /^damage .*--bits-per-weight 3\.9/);
    assert.ok(Number(options["bits"]) > 3 && Number(options["bits"]) < 4);
    const made = await collect(readLayers(layers));
    assert.is(made.length, bits.size);
    for (const { tensor, summary, values } of made) {
      assert.equal([summary.bits, summary.symmetric], [bits.get(tensor), bits.get(tensor) === 4]);
      const plain = { factors: [factorStream(model.address, await factorsOf(model))] };
      const alone = await compress.run(plain, { model: model.path, groupSize: 32, bits: summary.bits }, recordingContext());
      assert.ok(alone.layers);
      const same = (await collect(readLayers(alone.layers))).find((layer) => layer.tensor === tensor);
      assert.equal(same?.values?.data, values?.data);
    }
  });
});

test("a tensor with NaN gets no bits on request, and counts as one that stays as it is", async () => {
  await withTinyModel({ blocks: 1 }, async ({ path, blocks }) => {
    const broken = putValue(path, "h.0.mlp.dense_h_to_4h.weight", 0, NaN);
    const model = await openModel(path, { allowNonfinite: true });
    const tensors = blocks.flatMap(({ sites }) => sites.flatMap(({ weights }) => weights.map(({ tensor }) => tensor)));
    const left = tensors.filter((tensor) => tensor !== broken);
    for (const method of ["damage", "even"]) {
      const given = { options: { method, allowNonfinite: true, bitsPerWeight: 3.9 }, segments: true };
      const stream = await allocated(model, given);
      const used = parseMetadata("allocation", stream.schema).bitsPerWeight;
      assert.ok(used !== undefined && used <= 3.9, String(used));
      assert.equal(
        (await rowsOf(stream)).map(({ tensor }) => tensor),
        left,
      );
      const layers = await compressed(model, await allocated(model, given), { solver: "gptq", allowNonfinite: true });
      assert.equal(new Set((await collect(readLayers(layers))).map(({ tensor }) => tensor)), new Set(left));
    }
    await rejects(
      async () => allocated(model, { options: { bitsPerWeight: 3.9 } }),
      BadDataError,
      /has NaN at index 0; repair the model, or add --allow-nonfinite \(see --help\)/,
    );
    await model.close();
  });
});

test("bits that fit neither solver nor grid are refused with the remedy", async () => {
  await withTinyModel({ blocks: 1 }, async (model) => {
    const run = (options: Options) => async () =>
      collect(readLayers(await compressed(model, await allocated(model, { options: { bitsPerWeight: 3.9 } }), options)));
    await rejects(
      run({ solver: "wanda" }),
      UsageError,
      /an allocation of bits needs a solver that rounds to them, and wanda does not; take gptq/,
    );
    await rejects(
      run({ solver: "sparsegpt" }),
      UsageError,
      /made for rounding alone, and solver sparsegpt prunes; take a method that chooses sparsities/,
    );
    await rejects(run({ solver: "gptq", bits: 3 }), UsageError, /has the grid of each tensor; leave out --bits 3$/);
    await rejects(run({ solver: "gptq", grid: "Q4_K" }), UsageError, /leave out --grid "Q4_K"$/);
    await rejects(run({ solver: "gptq", typeMix: "Q4_K_M" }), UsageError, /leave out --type-mix "Q4_K_M"$/);
    await rejects(run({ solver: "gptq", groupSize: 64 }), UsageError, /leave out --group-size 64$/);
    await rejects(run({ solver: "gptq", symmetric: true }), UsageError, /leave out --symmetric true$/);
    const types = { options: { bitsPerWeight: 6, types: ["Q2_K", "Q6_K"], groupSize: undefined } };
    const refused = (options: Options) => async () =>
      collect(readLayers(await compressed(model, await allocated(model, types), options)));
    await rejects(
      refused({ solver: "awq" }),
      UsageError,
      /of GGUF types needs a solver that rounds to them, and awq does not; take gptq or rtn/,
    );
    await rejects(
      refused({ solver: "gptq", groupSize: 64 }),
      UsageError,
      /has the grid of each tensor; leave out --group-size 64$/,
    );
    await rejects(refused({ solver: "gptq", staticGroups: true }), UsageError, /leave out --static-groups true$/);
    await rejects(refused({ solver: "gptq", groupSize: undefined, grid: "Q4_K" }), UsageError, /leave out --grid "Q4_K"/);
  });
});

test.run();
