import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { allLanguages, collect, encodeStatistics, inputSite, readFiles } from "@mbs/artifacts";
import type { Statistic } from "@mbs/artifacts";
import { at, BadDataError, FailedPreconditionError, UsageError } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import type { Model } from "@mbs/models";
import { writeTinyModel } from "@mbs/models/testing";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { imatrix } from "../src/index.ts";
import { ggufParts } from "./gguf-parts.ts";

const root = await mkdtemp(join(tmpdir(), "imatrix-test-"));
test.after(() => rm(root, { recursive: true }));

const folder = join(root, "tiny");
await writeTinyModel(folder, { seed: 3 });
const model = await openModel(folder);
await model.close();

const tokensOf: Readonly<Record<string, number>> = { en: 3000, hi: 1000 };

/** E[x²] that is known: of channel c at a site. */
const squareOf = (language: string, site: string, channel: number): number =>
  (language === "en" ? 1 : 5) + channel / 8 + (site === "mlp-down" ? 2 : 0);

/** A diagonal of every language at every site, and at step inputs. */
function diagonals(of: Model = model): Statistic[] {
  return of.steps.flatMap(({ name: step, sites }) =>
    [{ name: inputSite, width: of.hiddenSize }, ...sites].flatMap(({ name: site, width }) =>
      Object.entries(tokensOf).map(([language, tokens]): Statistic => {
        const values = Float32Array.from({ length: width }, (_, channel) => squareOf(language, site, channel));
        return { step, site, language, kind: "diagonal", tokens, width, values };
      }),
    ),
  );
}

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
  const warnings: string[] = [];
  const context = {
    signal: new AbortController().signal,
    threads: 1,
    progress: () => undefined,
    warn: (message: string) => void warnings.push(message),
  };
  const stream = encodeStatistics(statistics, { model: address, tokenizer: "t", propagation: "dense", unit: "token", mix });
  const made = await imatrix.run({ statistics: [stream] }, { model: folder, ...options }, context);
  const files = new Map<string, Uint8Array>();
  if (made["files"] === undefined) throw new Error("the stage made no files");
  for (const { path, data } of await collect(readFiles(made["files"]))) {
    files.set(path, Buffer.concat([files.get(path) ?? new Uint8Array(), data]));
  }
  return { files, warnings };
}

const parts = (files: ReadonlyMap<string, Uint8Array>, name = "imatrix.gguf") => ggufParts(files.get(name) ?? new Uint8Array());

async function failure(work: Promise<unknown>): Promise<Error> {
  try {
    await work;
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("it did not fail");
}

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
      others.filter(({ site, step }) => site !== "mlp-up" || step !== "h.1"),
      /no statistics of h\.1 mlp-up; give those of every step/,
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
    ["en=1,fr=1", /no fr; it has en, hi/],
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
  const xglm = new URL("../../models/test/fixtures/forward/xglm-f32", import.meta.url).pathname;
  await imatrix.checkPlan?.({ model: folder }, { solver: "gptq", codes: "none" });
  const refused = imatrix.checkPlan?.({ model: xglm }, { solver: "gptq", codes: "none" });
  const error = await failure(Promise.resolve(refused));
  assert.instance(error, FailedPreconditionError);
  assert.match(error.message, /llama\.cpp has no model type xglm.*bloom, gemma2/);
});

test.run();
