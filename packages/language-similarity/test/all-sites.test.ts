import { collect, encodeStatistics, readSimilarities } from "@mbs/artifacts";
import type { SimilarityRecord, Statistic } from "@mbs/artifacts";
import { BadDataError, UsageError, at } from "@mbs/contracts";
import { testContext } from "@mbs/contracts/testing";
import { packUpper } from "@mbs/numbers";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { similarity } from "../src/similarity/similarity-stage.ts";
import { symmetricEigen } from "../src/similarity/symmetric-eigen.ts";
import { randomGram } from "./matrices.ts";

const context = testContext();
const width = 24;
const languages = ["en", "mr", "te"];
const grams = new Map(languages.map((language, index) => [language, randomGram(width, 30, index + 1)]));

const statistic = (site: string, language: string, kind: Statistic["kind"], values: Float32Array, block = "h.0"): Statistic => ({
  block,
  site,
  language,
  kind,
  tokens: 10,
  width,
  values,
});

const gramOf = (language: string, block?: string): Statistic =>
  statistic("mlp-up", language, "gram", packUpper(grams.get(language) ?? new Float32Array(0), width), block);

const diagonalOf = (site: string, language: string, scale = 1, block?: string): Statistic =>
  statistic(
    site,
    language,
    "diagonal",
    Float32Array.from({ length: width }, (_, row) => scale * (grams.get(language)?.[row * width + row] ?? 0)),
    block,
  );

async function run(statistics: Statistic[], options: object = { sites: "all", subspace: 4 }): Promise<SimilarityRecord[]> {
  const stream = encodeStatistics(statistics, { model: "m", tokenizer: "", propagation: "dense", unit: "", mix: undefined });
  const { similarity: records } = await similarity.run({ statistics: [stream] }, options, context);
  assert.ok(records);
  return collect(readSimilarities(records));
}

const valueOf = (records: readonly SimilarityRecord[], place: string, measure: string, first = "en", second = "mr"): number =>
  records.find(
    (record) =>
      `${record.block}/${record.site}` === place &&
      record.measure === measure &&
      record.first === first &&
      record.second === second,
  )?.value ?? NaN;

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((sum, value, index) => sum + value * at(b, index), 0);

const whole = [...languages.map((language) => diagonalOf("input", language)), ...languages.map((language) => gramOf(language))];

const isMean = ({ block }: SimilarityRecord): boolean => block === "*";

test("every site, every measure: whole matrices compare as by their definitions", async () => {
  const records = await run(whole);
  assert.equal(
    [...new Set(records.map(({ block, site, measure }) => `${block}/${site} ${measure}`))],
    [
      ...["cosine", "degrees", "euclidean"].map((measure) => `h.0/input ${measure}`),
      ...["cosine", "degrees", "euclidean", "gram", "subspace:4"].map((measure) => `h.0/mlp-up ${measure}`),
      ...["cosine", "degrees", "euclidean", "gram", "subspace:4"].map((measure) => `*/* ${measure}`),
    ],
  );
  assert.is(records.length, 3 * (3 + 5 + 5));
  const [a, b] = [grams.get("en") ?? [], grams.get("mr") ?? []];
  const trace = dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  // sums of 24² products in float32, of values that share their sign: 576 · 2⁻²⁴ = 3e-5 at worst, 24 · 2⁻²⁴ = 1e-6 as a rule
  assert.ok(Math.abs(valueOf(records, "h.0/mlp-up", "gram") - trace) < 1e-5, `${trace}`);
  const [va, vb] = [symmetricEigen(a, width).vectors, symmetricEigen(b, width).vectors];
  let overlap = 0;
  for (let i = 0; i < 4; i += 1) {
    for (let j = 0; j < 4; j += 1) {
      overlap += dot(va.subarray(i * width, (i + 1) * width), vb.subarray(j * width, (j + 1) * width)) ** 2 / 4;
    }
  }
  // how far the iteration has come; rounding turns directions by 24 · 2⁻²⁴ = 1e-6 over the gap between eigenvalues
  assert.ok(Math.abs(valueOf(records, "h.0/mlp-up", "subspace:4") - overlap) < 1e-3, `${overlap}`);
  // the diagonal of a Gram is that of the diagonals
  assert.is(valueOf(records, "h.0/mlp-up", "degrees"), valueOf(records, "h.0/input", "degrees"));
});

test("the mean is over the sites that have the measure", async () => {
  const records = await run([...whole, ...languages.map((language) => diagonalOf("input", language, 3, "h.1"))]);
  const distance = valueOf(records, "h.0/input", "euclidean");
  assert.ok(Math.abs(valueOf(records, "*/*", "euclidean") - (distance * 5) / 3) < 1e-6 * distance);
  assert.is(valueOf(records, "*/*", "gram"), valueOf(records, "h.0/mlp-up", "gram"));
});

test("shares of experts are compared, and are no part of the mean", async () => {
  const shares = languages.map((language) => diagonalOf("experts", language));
  const records = await run([...shares, ...whole]);
  assert.is(valueOf(records, "h.0/experts", "cosine"), valueOf(records, "h.0/input", "cosine"));
  assert.equal(records.filter(isMean), (await run(whole)).filter(isMean));
});

test("the first-input default gives what all gives there, and a Gram of all languages is passed over", async () => {
  const pooled = { ...gramOf("en"), language: "*" };
  const diagonals = languages.map((language) => diagonalOf("mlp-up", language));
  const all = await run([...whole.slice(0, 3), pooled, ...diagonals]);
  const first = await run([...whole.slice(0, 3), pooled, ...diagonals], {});
  assert.equal(all.slice(0, 9), first);
  assert.not.ok(all.some(({ measure }) => measure === "gram"));
});

test("pieces of a Gram in a scratch file add up to the whole, wider than one panel", async () => {
  const size = 2100;
  const wide = (language: string, at: number): Statistic => {
    const values = new Float32Array((size * (size + 1)) / 2);
    for (let row = 0, start = 0; row < size; start += size - row, row += 1) values[start] = 1 / (1 + ((row * 11 + at) % size));
    return { block: "h.0", site: "mlp-up", language, kind: "gram", tokens: 1, width: size, values };
  };
  const records = await run([wide("en", 0), wide("mr", 1)], { sites: "all", subspace: 1 });
  // for diagonal matrices the normalised trace is the cosine of the diagonals
  const difference = valueOf(records, "h.0/mlp-up", "gram") - valueOf(records, "h.0/mlp-up", "cosine");
  // sums of 2100 squares in float32: √2100 · 2⁻²⁴ = 3e-6 as a rule
  assert.ok(Math.abs(difference) < 1e-5, String(difference));
});

const failure = (statistics: Statistic[], options?: object) => run(statistics, options).catch((error: unknown) => error);

test("refuses what cannot be compared", async () => {
  assert.instance(await failure(whole.slice(0, 1)), BadDataError);
  assert.instance(await failure([gramOf("en"), gramOf("en")]), BadDataError);
  assert.instance(await failure([...whole, diagonalOf("input", "en")]), BadDataError);
  assert.instance(await failure([]), BadDataError);
  assert.instance(await failure([diagonalOf("input", "en", NaN), diagonalOf("input", "mr")]), BadDataError);
  assert.instance(await failure(whole, { sites: "all", subspace: 25 }), UsageError);
  assert.instance(await failure(whole, { subspace: 4 }), UsageError);
});

test.run();
