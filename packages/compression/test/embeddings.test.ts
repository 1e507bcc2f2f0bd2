import { headClassSite, headSite, embeddingSite, layerShape, layerValues, tokenSites, embeddingsBlock } from "@mbs/artifacts";
import type { FactorRecord, LayerRecord } from "@mbs/artifacts";
import { at, BadDataError, parseOptions, UsageError } from "@mbs/contracts";
import { quantisationTypeNamed, encodeValues } from "@mbs/gguf";
import { openModel } from "@mbs/models";
import type { Model } from "@mbs/models";
import { createBlas } from "@mbs/onnx";
import { askedGrid, dependentDefaults, loadSolver, solverOptions, withGrid } from "@mbs/solvers";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { allocate, compress, joinLayers } from "../src/index.ts";
import { drawRows } from "../src/allocation/bits/embeddings-damage.ts";
import { rejects } from "./rejects.ts";
import { siteStatistics } from "../src/site/site-statistics.ts";
import { scaleDtypeOf } from "../src/site/site-weight.ts";
import { factorsOf, factorStream, makeFactor, recordingContext, runCompress, withTinyModel } from "./tiny-site.ts";
import { collect, readLayers } from "@mbs/artifacts";

const embedding = "transformer.word_embeddings.weight";

/** Factors of the embeddings alone: reads and spread of each token, and what the head reads. */
async function embeddingsFactors({ vocabularySize, hiddenSize }: Model): Promise<FactorRecord[]> {
  const head = await makeFactor(embeddingsBlock, headSite, hiddenSize);
  const ofTokens = (site: string, valueOf: (token: number) => number): FactorRecord => {
    const { gram: _, upper: __, ...rest } = head;
    const diagonal = Float32Array.from({ length: vocabularySize }, (___, token) => valueOf(token));
    const summary = { ...head.summary, factorised: false, dead: [] };
    return { ...rest, site, width: vocabularySize, summary, order: Int32Array.from(diagonal.keys()), diagonal };
  };
  return [
    ofTokens(tokenSites.reads, (token) => (token % 3 === 0 ? 3 / vocabularySize : 0)),
    ofTokens(tokenSites.spread, (token) => (token % 2) / vocabularySize),
    head,
  ];
}

/** The same with the rows in three classes, row by row in turn, each with a factor of its own. */
async function classedFactors(model: Model): Promise<FactorRecord[]> {
  const [reads, spread, head] = (await embeddingsFactors(model)) as [FactorRecord, FactorRecord, FactorRecord];
  const others = await Promise.all(
    [0.3, -0.4].map((beside, place) => makeFactor(embeddingsBlock, headClassSite(place + 1), head.width, beside)),
  );
  const classes = { ...spread, site: tokenSites.classes, diagonal: spread.diagonal.map((_, row) => row % 3) };
  return [reads, spread, classes, head, ...others];
}

test("embedding and head become layers behind the blocks, with bits of their own", async () => {
  await withTinyModel({ vocabularySize: 300 }, async (model) => {
    const factors = [...(await factorsOf(model)), ...(await embeddingsFactors(model))];
    const options = { solver: "gptq", bits: 3, groupSize: 16 };
    const without = await runCompress(model, factors, options);
    const layers = await runCompress(model, factors, { ...options, embeddings: "6" });
    assert.equal(layers.slice(0, -1), without);
    const last = at(layers, layers.length - 1);
    assert.equal([last.block, last.site, last.tensor], [embeddingsBlock, headSite, embedding]);
    assert.equal(layerShape(last), { dtype: "f16", rows: 300, columns: 32 });
    const { bits, groupSize, firstRow, damage } = last.summary;
    assert.equal([bits, groupSize, firstRow], [6, 16, undefined]);
    assert.ok(damage > 0 && damage < 0.01);
  });
});

test("the damage counts each token as much as it is predicted", async () => {
  await withTinyModel({}, async (model) => {
    const factors = await embeddingsFactors(model);
    const last = at(await runCompress(model, factors, { solver: "rtn", bits: 3, embeddings: 3 }), 0);
    const [values, before] = [layerValues(last), await model.checkpoint.readF32(embedding)];
    const head = at(factors, 2);
    assert.ok(head.gram);
    const { packed, width } = { packed: head.gram, width: head.width };
    const entry = (row: number, column: number): number => {
      const [low, high] = row < column ? [row, column] : [column, row];
      return at(packed, low * width - (low * (low - 1)) / 2 + high - low);
    };
    const form = (valueOf: (index: number) => number): number => {
      let sum = 0;
      for (let token = 1; token < model.vocabularySize; token += 2) {
        for (let row = 0; row < width; row += 1) {
          for (let column = 0; column < width; column += 1) {
            sum += valueOf(token * width + row) * entry(row, column) * valueOf(token * width + column);
          }
        }
      }
      return sum;
    };
    const expected = form((index) => at(before, index) - at(values, index)) / form((index) => at(before, index));
    // float32 sums of some thousand terms
    assert.ok(Math.abs(last.summary.damage / expected - 1) < 1e-4, `${last.summary.damage} against ${expected}`);
  });
});

test("each class of rows is what the solver makes of these rows alone with the factor of the class", async () => {
  await withTinyModel({ vocabularySize: 301 }, async (model) => {
    const factors = await classedFactors(model);
    const given = { bits: 3, groupSize: 16 };
    const layers = await runCompress(model, factors, { solver: "gptq", embeddings: "3", ...given });
    const { codes, scales, summary } = at(layers, 0);
    assert.ok(codes && scales);
    const gptq = await loadSolver("gptq");
    const parsed = parseOptions(solverOptions(gptq), { ...given, qep: 0 }, "gptq");
    const options = { ...parsed, ...dependentDefaults(gptq, parsed, { zeroPoints: "any", crossMoments: false }) };
    const blas = createBlas({ threads: 1 });
    for (const [number, factor] of factors.slice(-3).entries()) {
      const numbers = Int32Array.from({ length: model.vocabularySize }, (_, row) => row).filter((row) => row % 3 === number);
      const rows = numbers.length;
      const weight = {
        rows,
        columns: factor.width,
        values: await model.checkpoint.readRowsF32(embedding, numbers),
        parts: [{ tensor: embedding, firstRow: 0, rows }],
        scalable: false,
        scaleDtype: scaleDtypeOf(model, [model.dtype]),
      };
      const statistics = siteStatistics({ ...factor, factor }, gptq.needs.slice(0, 2)) as Parameters<typeof gptq.solve>[1];
      const context = { blas, signal: new AbortController().signal, warn: () => {} };
      const { quantised } = await gptq.solve(withGrid(askedGrid(gptq, options), weight), statistics, options, context);
      assert.ok(quantised);
      const expected = [codes, scales].map(({ data, rows: all }) => {
        const stride = data.length / all;
        return Buffer.concat([...numbers].map((row) => data.subarray(row * stride, (row + 1) * stride)));
      });
      const found = [quantised.codes, quantised.scales].map(({ buffer, byteOffset, byteLength }) =>
        Buffer.from(buffer, byteOffset, byteLength),
      );
      assert.equal(found, expected, `class ${number}`);
    }
    await blas.release();
    assert.equal([summary.bits, summary.firstRow, summary.tensorRows], [3, undefined, undefined]);
    const [one] = await runCompress(model, await embeddingsFactors(model), { solver: "gptq", embeddings: "3", ...given });
    assert.not.equal(one?.codes, codes);
  });
});

test("shards of the rows give the whole, and so does one part after the other", async () => {
  await withTinyModel({ vocabularySize: 320 }, async (model) => {
    const factors = await embeddingsFactors(model);
    const options = { model: model.path, solver: "gptq", bits: 4, groupSize: 16, embeddings: "4" };
    const [whole] = await runCompress(model, factors, options);
    assert.ok(whole);
    const parts = await Promise.all(
      [1, 2, 3].map(async (part) => {
        const inputs = { factors: [factorStream(model.address, factors)] };
        const { layers } = await compress.run(inputs, { ...options, rows: `${part}/3` }, recordingContext());
        assert.ok(layers);
        return layers;
      }),
    );
    const { layers } = await joinLayers.run({ layers: parts }, {}, recordingContext());
    assert.ok(layers);
    const [joined] = await collect(readLayers(layers));
    assert.equal(joined?.values, whole.values);
    assert.equal(joined?.codes, whole.codes);
    assert.ok(Math.abs((joined?.summary.damage ?? 0) / whole.summary.damage - 1) < 1e-6);
  });
});

test("an embedding of its own is rounded by its own loss, and weighed by reads", async () => {
  const model = await openModel(
    fileURLToPath(new URL("../../models/test/fixtures/forward/residual-after-norm-untied", import.meta.url)),
  );
  const factors = await embeddingsFactors(model);
  const layers = await runCompress(model, factors, { solver: "gptq", bits: 4, groupSize: 0, embeddings: "4" });
  await model.close();
  assert.equal(
    layers.map(({ site, tensor }) => [site, tensor]),
    model.embeddings?.sites.map(({ name, weights }) => [name, at(weights, 0).tensor]),
  );
  assert.is(layers.length, 2);
  const own = at(layers, 1);
  assert.is(own.site, embeddingSite);
  const before = await (await openModel(model.path)).checkpoint.readF32(own.tensor);
  const values = layerValues(own);
  const squares = (of: (index: number) => number): number =>
    before.reduce((sum, _, index) => (Math.floor(index / model.hiddenSize) % 3 === 0 ? sum + of(index) ** 2 : sum), 0);
  const expected = squares((index) => at(before, index) - at(values, index)) / squares((index) => at(before, index));
  assert.ok(Math.abs(own.summary.damage / expected - 1) < 1e-4);
});

test("on grids of GGUF they hold the blocks of the types that are asked for", async () => {
  await withTinyModel({}, async (model) => {
    const factors = await embeddingsFactors(model);
    const last = async (options: object): Promise<LayerRecord> => {
      const context = recordingContext();
      const inputs = { factors: [factorStream(model.address, factors)] };
      const { layers } = await compress.run(inputs, { model: model.path, embeddings: "on", ...options }, context);
      assert.ok(layers);
      const made = await collect(readLayers(layers));
      warnings.push(...context.warnings);
      return at(made, made.length - 1);
    };
    const warnings: string[] = [];
    const named = async (options: object) => (await last(options)).summary.grid;
    assert.is(await named({ solver: "gptq", grid: "Q4_1" }), "Q4_1");
    assert.equal(warnings, []);
    const own = await last({ solver: "gptq", grid: "Q8_0", embeddings: "Q4_K" });
    assert.is(own.summary.grid, "Q5_0");
    assert.equal(warnings, ["weights of 32 columns take Q5_0, since these are no whole blocks of Q4_K"]);
    assert.ok(own.blocks);
    const decoded = new Float32Array(model.vocabularySize * 32);
    quantisationTypeNamed("Q5_0").decode?.(own.blocks.data.slice(), decoded);
    assert.equal(layerValues(own), decoded);
    const nearest = await last({ solver: "rtn", grid: "Q8_0", embeddings: "Q5_0" });
    const plain = encodeValues(quantisationTypeNamed("Q5_0"), await model.checkpoint.readF32(embedding));
    assert.equal(nearest.blocks?.data, plain);
    assert.ok(own.summary.damage < nearest.summary.damage, `${own.summary.damage}, ${nearest.summary.damage}`);
  });
});

test("on means the bits of the other weights, and what no format holds together is refused", async () => {
  await withTinyModel({ blocks: 1 }, async (model) => {
    const factors = await embeddingsFactors(model);
    const run = (options: object) => runCompress(model, factors, { solver: "gptq", groupSize: 16, ...options });
    const [like, given] = [await run({ bits: 5, embeddings: "on" }), await run({ bits: 5, embeddings: "5" })];
    assert.equal(like, given);
    const refusals = [
      [
        { bits: 3, embeddings: "Q4_K" },
        /Q4_K is a type of blocks, and the other weights are rounded to groups; take bits such as 4/,
      ],
      [{ groupSize: undefined, grid: "Q4_K", embeddings: "4" }, /4 gives embedding and head groups, .* take on, or a type/],
      [{ groupSize: undefined, typeMix: "Q4_K_M", embeddings: "8" }, /8 gives embedding and head groups/],
    ] as const;
    for (const [options, message] of refusals) {
      const error = await run(options).then(
        () => undefined,
        (caught: unknown) => caught,
      );
      assert.instance(error, UsageError);
      assert.match(String(error), message);
    }
  });
});

test("beside an allocation they take their own bits or type, or those of the type mix, which a line names", async () => {
  const model = fileURLToPath(new URL("../../models/test/fixtures/gguf/models/llama-q8.gguf", import.meta.url));
  const run = async (allocating: object, compressing: object) => {
    const own = { model, method: "even", withoutFactors: true, ...allocating };
    const { allocation } = await allocate.run({}, own, recordingContext());
    assert.ok(allocation);
    const context = recordingContext();
    const options = { model, solver: "rtn", withoutFactors: true, ...compressing };
    const { layers } = await compress.run({ allocation: [allocation] }, options, context);
    assert.ok(layers);
    const found = (await collect(readLayers(layers))).filter(({ block }) => block === embeddingsBlock);
    return { grids: found.map(({ summary }) => summary.grid ?? summary.bits), warnings: context.warnings };
  };
  const types = { types: ["Q4_0", "Q8_0"], bitsPerWeight: 6 };
  // rows of 32: the head takes Q8_0, the embedding what Q4_K falls back to
  const mixed = ["Q8_0", "Q5_0"];
  assert.equal(await run(types, { embeddings: "on" }), {
    grids: mixed,
    warnings: [
      "embedding and head take the types of Q4_K_M, since allocate was given no --type-mix; write the file with this --type, or allocate with another",
    ],
  });
  const others = await run({ ...types, typeMix: "Q4_1" }, { embeddings: "on" });
  assert.equal(others, { grids: ["Q8_0", "Q4_1"], warnings: [] });
  assert.equal(await run(types, { embeddings: "Q4_1" }), { grids: ["Q4_1", "Q4_1"], warnings: [] });
  const bits = { bitsPerWeight: 5, groupSize: 16 };
  assert.equal((await run(bits, { embeddings: "6" })).grids, [6, 6]);
  const refusals = [
    [
      { ...types, typeMix: "F16" },
      { embeddings: "on" },
      /on takes the types of F16, .*, and these round nothing; allocate with another type mix, such as Q4_K_M/,
    ],
    [types, { embeddings: "4" }, /4 gives embedding and head groups, .* take on, or a type/],
    [bits, { embeddings: "on" }, /which an allocation gives different bits; give it bits, such as 4/],
    [bits, { embeddings: "Q6_K" }, /Q6_K is a type of blocks, .*; take bits such as 4/],
  ] as const;
  for (const [allocating, compressing, message] of refusals) {
    const error = await run(allocating, compressing).then(
      () => undefined,
      (caught: unknown) => caught,
    );
    assert.instance(error, UsageError);
    assert.match(String(error), message);
  }
});

test("without statistics they are rounded all the same", async () => {
  await withTinyModel({}, async (model) => {
    const options = { model: model.path, solver: "rtn", bits: 4, withoutFactors: true, embeddings: "8" };
    const { layers } = await compress.run({}, options, recordingContext());
    assert.ok(layers);
    const last = (await collect(readLayers(layers))).at(-1);
    assert.equal([last?.tensor, last?.summary.bits, last?.summary.moment], [embedding, 8, "identity"]);
  });
});

test("a solver that chooses for all rows together, and factors without the head, are refused", async () => {
  await withTinyModel({}, async (model) => {
    const failure = (options: object, factors: FactorRecord[]) =>
      runCompress(model, factors, { embeddings: "4", ...options }).then(
        () => undefined,
        (error: unknown) => error,
      );
    const all = await embeddingsFactors(model);
    const awq = await failure({ solver: "awq" }, all);
    assert.instance(awq, UsageError);
    assert.match(String(awq), "solver awq does not; take gptq or rtn");
    const headless = await failure({ solver: "gptq" }, await factorsOf(model));
    assert.instance(headless, BadDataError);
    assert.match(String(headless), "no input of the head; capture with --embeddings");
    const other = all.map((record) =>
      record.site === tokenSites.spread
        ? { ...record, width: 8, diagonal: record.diagonal.slice(0, 8), order: record.order.slice(0, 8) }
        : record,
    );
    assert.match(String(await failure({ solver: "gptq" }, other)), "the statistics are of 8 tokens");
  });
});

test("rows are drawn by what they cost, and their weights make sums over all rows of what was drawn", () => {
  // two languages, each of which has half of the tokens; few have most of the cost
  const costs = [0, 1].map((language) =>
    Float32Array.from({ length: 5000 }, (_, row) => (row % 2 === language ? 1 / (1 + row) ** 1.5 : 0)),
  );
  const { rows, weights } = drawRows(costs, 256);
  assert.ok(rows.length < 256 && new Set(rows).size === rows.length, String(rows.length));
  for (const own of costs) {
    for (const errorOf of [() => 1, (row: number) => 1 + (row % 7) / 7]) {
      const whole = own.reduce((sum, cost, row) => sum + cost * errorOf(row), 0);
      const drawn = rows.reduce((sum, row, place) => sum + at(weights, place) * at(own, row) * errorOf(row), 0);
      assert.ok(Math.abs(drawn / whole - 1) < 0.03, `${drawn} of ${whole}`);
    }
  }
  const all = drawRows([Float32Array.of(1, 0, 3)], 64);
  assert.equal([...all.rows], [0, 2]);
});

test("allocate chooses for embedding and head only where it knows what they cost", async () => {
  await withTinyModel({ vocabularySize: 300 }, async (model) => {
    const run = async (): Promise<unknown> => {
      const options = { model: model.path, method: "damage", bitsPerWeight: 6, types: ["Q4_0", "Q8_0"], embeddings: "on" };
      return allocate.run({ factors: [factorStream(model.address, await factorsOf(model))] }, options, recordingContext());
    };
    await rejects(run, UsageError, /--embeddings on compares .* give --statistics \(of capture --embeddings\) and --segments$/);
  });
});

test("compress takes an allocation's types for embedding and head", async () => {
  await withTinyModel({ vocabularySize: 300 }, async (model) => {
    const options = { model: model.path, method: "even", types: ["Q4_0"], bitsPerWeight: 5, embeddings: "on" };
    const { allocation } = await allocate.run({}, { ...options, withoutFactors: true }, recordingContext());
    assert.ok(allocation);
    const given = { model: model.path, solver: "rtn", withoutFactors: true, embeddings: "on" };
    const { layers } = await compress.run({ allocation: [allocation] }, given, recordingContext());
    assert.ok(layers);
    const made = await collect(readLayers(layers));
    assert.equal(
      made.filter(({ block }) => block === embeddingsBlock).map(({ tensor, summary }) => [tensor, summary.grid]),
      [[embedding, "Q4_0"]],
    );
  });
});

test.run();
