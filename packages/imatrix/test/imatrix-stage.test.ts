import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { allLanguages, collect, inputSite, readStatistics } from "@mbs/artifacts";
import type { Statistic } from "@mbs/artifacts";
import { at, BadDataError, FailedPreconditionError, UsageError } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { imatrix, readImatrix } from "../src/index.ts";
import { ggufParts } from "./gguf-parts.ts";
import { diagonals as diagonalsOf, failure, filesOf, makeTinyModel, runStage, squareOf, statisticsOf } from "./tiny-model.ts";

const { root, folder, model, remove } = await makeTinyModel();
test.after(remove);

const diagonals = (): Statistic[] => diagonalsOf(model);

/** The same as Grams, with a Gram of all languages that says something else. */
const grams = (): Statistic[] =>
  diagonals().flatMap((statistic): Statistic[] => {
    const { site, width, values, language } = statistic;
    if (site === inputSite) return [statistic];
    const packed = new Float32Array((width * (width + 1)) / 2);
    for (let row = 0, next = 0; row < width; next += width - row, row += 1) packed[next] = at(values, row);
    const own: Statistic = { ...statistic, kind: "gram", values: packed };
    return language === "hi" ? [own, { ...own, language: allLanguages, values: packed.map((value) => 2 * value) }] : [own];
  });

interface Given {
  readonly statistics?: readonly Statistic[];
  readonly mix?: Readonly<Record<string, number>>;
  readonly model?: string;
  readonly options?: Readonly<Record<string, unknown>>;
}

/** File name → its bytes, and what the stage warned of. */
async function run({ statistics = diagonals(), mix, model: address = model.address, options = {} }: Given = {}) {
  const inputs = { statistics: [statisticsOf(statistics, address, mix)] };
  const { output, warnings } = await runStage(imatrix, inputs, { model: folder, ...options });
  return { files: await filesOf(output), warnings };
}

const parts = (files: ReadonlyMap<string, Uint8Array>, name = "imatrix.gguf") => ggufParts(files.get(name) ?? new Uint8Array());

/** Largest difference from T·Σ wₗ·E[x²]ₗ, relative. */
function worst(values: Float32Array, site: string, tokens: number, weights: Readonly<Record<string, number>>): number {
  return [...values].reduce((most, value, channel) => {
    const mean = Object.entries(weights).reduce((sum, [language, weight]) => sum + weight * squareOf(language, site, channel), 0);
    return Math.max(most, Math.abs(value / (tokens * mean) - 1));
  }, 0);
}

const names = [0, 1].flatMap((block) =>
  ["attn_output", "attn_qkv", "ffn_down", "ffn_up"].map((name) => `blk.${block}.${name}.weight`),
);

test("each weight has the sums of squares of what it reads, mixed by the tokens seen, and their number", async () => {
  for (const statistics of [diagonals(), grams()]) {
    const { files, warnings } = await run({ statistics });
    assert.equal([[...files.keys()], warnings], [["imatrix.gguf"], []]);
    const { metadata, tensors } = parts(files);
    assert.equal(
      [...metadata],
      [
        ["general.type", "imatrix"],
        ["imatrix.datasets", ["by tokens: en=0.75,hi=0.25", "en=0.75", "hi=0.25"]],
        ["imatrix.chunk_count", 8],
        ["imatrix.chunk_size", 512],
      ],
    );
    assert.equal(
      [...tensors.keys()],
      names.flatMap((name) => [`${name}.in_sum2`, `${name}.counts`]),
    );
    for (const [name, site, width] of [
      ["blk.1.attn_qkv.weight", "attention-qkv", 32],
      ["blk.0.ffn_down.weight", "mlp-down", 128],
    ] as const) {
      const sums = tensors.get(`${name}.in_sum2`);
      assert.equal(sums?.shape, [1, width]);
      // one rounding to float32
      assert.ok(worst(sums?.values ?? new Float32Array(), site, 4000, { en: 0.75, hi: 0.25 }) < 1e-7, name);
      assert.equal(tensors.get(`${name}.counts`), { shape: [1, 1], values: Float32Array.of(4000) });
    }
  }
});

test("a mix is taken as by factor and by sample; capture's own is the default", async () => {
  const distribution = join(root, "distribution.json");
  await writeFile(distribution, JSON.stringify({ unit: "tokens", source: "a test", shares: { en: 0.9, hi: 0.1 } }));
  for (const [given, weights, dataset] of [
    [{ mix: { en: 1, hi: 3 } }, { en: 0.25, hi: 0.75 }, "mix of capture: hi=0.75,en=0.25"],
    [{ mix: { en: 1, hi: 3 }, options: { mix: "en=0.4,hi=0.6" } }, { en: 0.4, hi: 0.6 }, "weights: hi=0.6,en=0.4"],
    [{ options: { mix: "equal" } }, { en: 0.5, hi: 0.5 }, "equal: en=0.5,hi=0.5"],
    [{ options: { mix: "proportional", distribution } }, { en: 0.9, hi: 0.1 }, "proportional: en=0.9,hi=0.1"],
    [{ options: { mix: "temperature:0.5", distribution } }, { en: 0.75, hi: 0.25 }, "temperature 0.5: en=0.75,hi=0.25"],
  ] as const) {
    const { metadata, tensors } = parts((await run(given)).files);
    assert.is((metadata.get("imatrix.datasets") as string[])[0], dataset);
    const sums = tensors.get("blk.0.ffn_up.weight.in_sum2")?.values ?? new Float32Array();
    assert.ok(worst(sums, "mlp-up", 4000, weights) < 1e-7, dataset);
  }
});

test("a language alone has its own tokens, and with --each a file", async () => {
  const { files } = await run({ options: { mix: "only:hi", each: true } });
  assert.equal([...files.keys()], ["imatrix.gguf", "imatrix-en.gguf", "imatrix-hi.gguf"]);
  assert.equal(files.get("imatrix.gguf"), files.get("imatrix-hi.gguf"));
  const { metadata, tensors } = parts(files, "imatrix-hi.gguf");
  assert.equal(metadata.get("imatrix.datasets"), ["hi=1"]);
  assert.is(metadata.get("imatrix.chunk_count"), 2);
  assert.equal(tensors.get("blk.0.ffn_up.weight.counts")?.values, Float32Array.of(1000));
  assert.ok(worst(tensors.get("blk.0.ffn_up.weight.in_sum2")?.values ?? new Float32Array(), "mlp-up", 1000, { hi: 1 }) < 1e-7);
});

test("a site that no token reached has the count 0, as llama.cpp has it of an expert", async () => {
  const statistics = diagonals().map((statistic) =>
    statistic.site === "mlp-up" ? { ...statistic, values: new Float32Array(statistic.width) } : statistic,
  );
  const { tensors } = parts((await run({ statistics })).files);
  assert.equal(tensors.get("blk.0.ffn_up.weight.counts")?.values, Float32Array.of(0));
  assert.equal(tensors.get("blk.0.ffn_down.weight.counts")?.values, Float32Array.of(4000));
});

test("experts share a tensor, one that no token reached has the count 0, and all are read again", async () => {
  const mixtral = fileURLToPath(new URL("../../models/test/fixtures/forward/mixtral-f32", import.meta.url));
  const own = await openModel(mixtral);
  await own.close();
  // the third expert of the first block has seen nothing, the others less than all tokens
  const statistics = diagonalsOf(own)
    .filter(({ site }) => site !== inputSite)
    .map((statistic) =>
      statistic.block === "layers.0" && statistic.site.startsWith("expert-2-")
        ? { ...statistic, values: new Float32Array(statistic.width) }
        : statistic,
    );
  const { output } = await runStage(
    imatrix,
    { statistics: [statisticsOf(statistics, own.address)] },
    { model: mixtral, mix: "only:en" },
  );
  const bytes = (await filesOf(output)).get("imatrix.gguf") ?? new Uint8Array();
  const { tensors } = ggufParts(bytes);
  const counts = (block: number) => tensors.get(`blk.${block}.ffn_down_exps.weight.counts`);
  assert.equal(counts(0), { shape: [5, 1], values: Float32Array.of(3000, 3000, 0, 3000, 3000) });
  assert.equal(counts(1), { shape: [5, 1], values: new Float32Array(5).fill(3000) });
  const sums = tensors.get("blk.0.ffn_down_exps.weight.in_sum2");
  const width = at(sums?.shape ?? [], 1);
  const third = sums?.values.subarray(2 * width, 3 * width) ?? new Float32Array();
  assert.equal([sums?.shape[0], third], [5, new Float32Array(width)]);
  const path = join(root, "experts.gguf");
  await writeFile(path, bytes);
  const { output: stream } = await runStage(readImatrix, {}, { model: mixtral, imatrix: [path] });
  const again = await collect(readStatistics(stream));
  const wanted = statistics.filter(({ language }) => language === "en");
  assert.equal(
    again.map(({ block, site, tokens }) => [block, site, tokens]),
    wanted.map(({ block, site, tokens }) => [block, site, tokens]),
  );
  for (const [index, { values }] of again.entries()) {
    const expected = at(wanted, index).values;
    for (const [channel, value] of values.entries()) assert.ok(Math.abs(value - at(expected, channel)) <= 3e-7 * value);
  }
});

test("gate and up of an expert of Gemma 4, which are one tensor, have one row of it", async () => {
  const folder = fileURLToPath(new URL("../../models/test/fixtures/forward/gemma4-experts-f32", import.meta.url));
  const own = await openModel(folder);
  await own.close();
  const statistics = diagonalsOf(own).filter(({ site }) => site !== inputSite);
  const { output } = await runStage(
    imatrix,
    { statistics: [statisticsOf(statistics, own.address)] },
    { model: folder, mix: "only:en" },
  );
  const { tensors } = ggufParts((await filesOf(output)).get("imatrix.gguf") ?? new Uint8Array());
  for (const [name, end, width] of [
    ["ffn_gate_up_exps", "up", 16],
    ["ffn_down_exps", "down", 12],
  ] as const) {
    const sums = tensors.get(`blk.1.${name}.weight.in_sum2`);
    assert.equal(sums?.shape, [5, width]);
    assert.equal(tensors.get(`blk.1.${name}.weight.counts`), { shape: [5, 1], values: new Float32Array(5).fill(3000) });
    for (let expert = 0; expert < 5; expert += 1) {
      const wanted = statistics.find(
        ({ block, site, language }) => block === "layers.1" && site === `expert-${expert}-${end}` && language === "en",
      );
      const row = sums?.values.subarray(expert * width, (expert + 1) * width) ?? new Float32Array();
      // a sum and a mean of it, each rounded to float32
      for (const [channel, value] of row.entries()) {
        const expected = 3000 * at(wanted?.values ?? [], channel);
        assert.ok(Math.abs(value - expected) <= 3e-7 * expected, `${name} ${expert} ${channel}`);
      }
    }
  }
  assert.ok(tensors.has("blk.1.ffn_up.weight.in_sum2"), "the MLP beside them has its own");
});

test("the list of datasets begins with what fits into llama.cpp's 127 bytes", async () => {
  const languages = Array.from({ length: 40 }, (_, index) => `l${index}`);
  const statistics = diagonals()
    .filter(({ language }) => language === "en")
    .flatMap((statistic) => languages.map((language) => ({ ...statistic, language })));
  const { metadata } = parts((await run({ statistics })).files);
  const [first = "", ...others] = metadata.get("imatrix.datasets") as string[];
  assert.is(others.length, 40);
  assert.ok(first.length <= 127 && first.length > 100, first);
  assert.match(first, /^by tokens: l0=0\.025,l1=0\.025,.*,… 40 languages$/);
});

test("statistics that do not fit the model, or not each other, are refused", async () => {
  const [first, ...others] = diagonals().filter(({ site }) => site !== inputSite);
  if (first === undefined) throw new Error("no statistics");
  for (const [statistics, reason] of [
    [
      others.filter(({ site, block }) => site !== "mlp-up" || block !== "h.1"),
      /no statistics of h\.1 mlp-up; give those of every block/,
    ],
    [[first, first], /attention-qkv in en come twice; give them once/],
    [[{ ...first, site: "elsewhere" }], /elsewhere: it is no site of the model; capture again/],
    [[{ ...first, width: 31, values: first.values.subarray(1) }], /has 31 channels, in the model 32; capture again/],
  ] as const) {
    const error = await failure(run({ statistics }));
    assert.instance(error, BadDataError);
    assert.match(error.message, reason);
  }
  const error = await failure(run({ model: "0".repeat(64) }));
  assert.instance(error, BadDataError);
  assert.match(error.message, /the statistics are of model 0{64}, .*tiny is .*; capture again/);
});

test("wrong mixes and models that llama.cpp does not have are refused", async () => {
  for (const [mix, reason] of [
    ["en=1,fr=1", /^--mix en,fr: the statistics saw no texts of fr, but of en, hi; name some of these$/],
    ["fast", /unknown mix/],
    ["en=", /LANGUAGE=WEIGHT/],
  ] as const) {
    const error = await failure(run({ options: { mix } }));
    assert.instance(error, UsageError, mix);
    assert.match(error.message, reason);
  }
  const graph = join(root, "empty");
  await mkdir(graph);
  assert.instance(await failure(run({ options: { model: graph } })), BadDataError);
  const xglm = fileURLToPath(new URL("../../models/test/fixtures/forward/xglm-f32", import.meta.url));
  const error = await failure(run({ options: { model: xglm } }));
  assert.instance(error, FailedPreconditionError);
  assert.match(error.message, /llama\.cpp has no model type xglm.*bloom, .*gemma2/);
});

test.run();
