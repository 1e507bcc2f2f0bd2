import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { collect, encodeStatistics, headSite, readDamage, readLayers, tokenSites, embeddingsBlock } from "@mbs/artifacts";
import type { Statistic } from "@mbs/artifacts";
import { at } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";
import { testContext } from "@mbs/contracts/testing";
import { compress } from "@mbs/compression";
import { factor } from "@mbs/hessian-solving";
import { predict } from "@mbs/language-similarity";
import { openModel } from "@mbs/models";
import { writeTinyModel } from "@mbs/models/testing";
import { packUpper } from "@mbs/numbers";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite<{ folder: string }>("embeddings costs");
test.before.each(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), "mbs-costs-"));
  await writeTinyModel(context.folder);
});
test.after.each(({ folder }) => rm(folder, { recursive: true, force: true }));

const context = testContext();
const [width, tokens] = [32, 260];
const languages = ["en", "fr"];
const mix = { en: 0.8, fr: 0.2 };
/** What a read row costs beside one that is predicted, the same for all rows, so that a class has the Hessian of its rows. */
const [prices, readsOfSpread] = [{ en: 0.3, fr: 0.9 }, 2];

function gramOf(language: number): Float32Array {
  const states = Float64Array.from({ length: 100 * width }, (_, index) => Math.sin((index + 1) * (7 + language)));
  const entry = (row: number, column: number): number => {
    let sum = 0;
    for (let token = 0; token < 100; token += 1) sum += at(states, token * width + row) * at(states, token * width + column);
    return sum / 100;
  };
  const all = Float32Array.from({ length: width * width }, (_, index) => entry(Math.floor(index / width), index % width));
  return packUpper(all, width);
}

const one = (site: string, language: string, values: Float32Array): Statistic => ({
  block: embeddingsBlock,
  site,
  language,
  kind: site === headSite ? "gram" : "diagonal",
  tokens: 100,
  width: site === headSite ? width : values.length,
  values,
});
const spread = (place: number): Float32Array =>
  Float32Array.from({ length: tokens }, (_, token) => (token % 2 === place ? (1 + (token % 5)) / 1000 : 0));

/** What a language's part of the statistics has beside its tokens. */
interface Known {
  readonly gram: Float32Array;
  readonly price: number;
}

const own: readonly Known[] = languages.map((_, place) => ({ gram: gramOf(place + 1), price: at(Object.values(prices), place) }));

const sumOf = (values: Iterable<number>): number => [...values].reduce((sum, value) => sum + value, 0);

/** The mix of all rows, which has the price of an average row. */
function ofAll(): Known {
  const weights = Object.values(mix);
  const spreads = languages.map((_, place) => at(weights, place) * sumOf(spread(place)));
  const price = sumOf(spreads.map((sum, place) => sum * at(own, place).price)) / sumOf(spreads);
  return {
    gram: at(own, 0).gram.map((_, index) => sumOf(weights.map((weight, place) => weight * at(at(own, place).gram, index)))),
    price,
  };
}

/** Of two languages, each of which predicts and reads every second token. */
function statistics(model: string, known: readonly Known[]): ArtifactStream {
  const records = [
    ...languages.map((name, place) =>
      one(
        tokenSites.reads,
        name,
        spread(place).map((own) => own * readsOfSpread),
      ),
    ),
    ...languages.map((name, place) => one(tokenSites.price, name, Float32Array.of(at(known, place).price))),
    ...languages.map((name, place) => one(tokenSites.spread, name, spread(place))),
    ...languages.map((name, place) => one(headSite, name, at(known, place).gram)),
  ];
  return encodeStatistics(records, { model, tokenizer: "t", propagation: "dense", unit: "token", mix });
}

test("rows are rounded for what predict counts of them, by half, and by half as if all languages had the same inputs", async ({
  folder,
}) => {
  const model = await openModel(folder);
  const { address } = model;
  await model.close();
  const compressed = async (): Promise<ArtifactStream> => {
    const { factors } = await factor.run({ statistics: [statistics(address, own)] }, { rowClasses: 16 }, context);
    assert.ok(factors);
    const options = { model: folder, solver: "gptq", bits: 3, groupSize: 16, embeddings: "3" };
    const { layers } = await compress.run({ factors: [factors] }, options, context);
    assert.ok(layers);
    return layers;
  };
  /** Of all languages, weighed by the mix. */
  const predicted = async (known: readonly Known[]): Promise<number> => {
    const inputs = { statistics: [statistics(address, known)], layers: [await compressed()] };
    const { damage } = await predict.run(inputs, { model: folder }, context);
    assert.ok(damage);
    const found = await collect(readDamage(damage));
    return sumOf(
      Object.entries(mix).map(([name, weight]) => weight * (found.find(({ language }) => language === name)?.error ?? NaN)),
    );
  };
  const [layer, ...others] = await collect(readLayers(await compressed()));
  assert.ok(layer && others.length === 0);
  const { error } = layer.summary;
  const [apart, alike] = [await predicted(own), await predicted([ofAll(), ofAll()])];
  assert.ok(Math.abs(apart / alike - 1) > 0.01, "they differ");
  // float32 sums of 260 rows with 32 columns
  assert.ok(Math.abs((apart + alike) / 2 / error - 1) < 1e-4, `${apart}, ${alike} and ${error}`);
});

test.run();
