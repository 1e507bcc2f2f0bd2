import { collect } from "@mbs/artifacts";
import type { Statistic } from "@mbs/artifacts";
import { at, BadDataError, parseLanguageMix } from "@mbs/contracts";
import { mixSites } from "@mbs/hessian-solving";
import type { MixedSite } from "@mbs/hessian-solving";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { diagonalStatistic, failureOf, gramOf, gramStatistic, randomStates, streamOf, worst } from "./statistics-fixture.ts";

const width = 6;
const english = randomStates(30, width, 1);
const french = randomStates(10, width, 2);

const mixAll = (statistics: readonly Statistic[], mix?: string): Promise<MixedSite[]> =>
  collect(mixSites(streamOf(statistics), mix === undefined ? undefined : parseLanguageMix(mix)));

const both = (site: string): Statistic[] => [gramStatistic(site, "en", english, width), gramStatistic(site, "fr", french, width)];

test("without a mix it is the pooled Hessian of all tokens", async () => {
  const mixed = at(await mixAll(both("mlp")), 0);
  const pooled = gramOf(Float64Array.of(...english, ...french), width);
  assert.ok(worst(mixed.gram ?? [NaN], pooled) < 1e-7);
  assert.is(mixed.tokens, 40);
  assert.equal(mixed.weights, { en: 0.75, fr: 0.25 });
});

test("with a mix it is Σ w·E, and the diagonal is the Gram's", async () => {
  const mixed = at(await mixAll(both("mlp"), "en=1,fr=3"), 0);
  const [first, second] = [gramOf(english, width), gramOf(french, width)];
  const wanted = first.map((value, index) => 0.25 * value + 0.75 * at(second, index));
  assert.ok(worst(mixed.gram ?? [NaN], wanted) < 1e-7);
  assert.equal(
    [...mixed.diagonal],
    [0, 6, 11, 15, 18, 20].map((index) => mixed.gram?.[index]),
  );
});

test("cross-moments mix by the same weights, and one of all languages is taken as it is", async () => {
  const cross = (language: string, value: number, tokens: number): Statistic => ({
    block: "h.0",
    site: "mlp",
    language,
    kind: "cross-moment",
    tokens,
    width,
    values: Float32Array.from({ length: width * width }, (_, index) => value + index),
  });
  const given = [...both("mlp"), cross("en", 4, 30), cross("fr", 8, 10)];
  const mixed = at(await mixAll(given), 0);
  assert.is(mixed.crossMoment?.length, width * width);
  assert.is(mixed.crossMoment?.[7], 0.75 * 11 + 0.25 * 15);
  assert.is(at(await mixAll(given, "en=1,fr=3"), 0).crossMoment?.[0], 0.25 * 4 + 0.75 * 8);
  assert.is(at(await mixAll([...given, cross("*", -1, 40)]), 0).crossMoment?.[0], -1);
  assert.is(at(await mixAll(both("mlp")), 0).crossMoment, undefined);
  assert.is(at(await mixAll([...both("mlp"), cross("en", 4, 30)]), 0).crossMoment, undefined, "known of one language only");
});

test("languages that weigh nothing add neither values nor tokens", async () => {
  const mixed = at(await mixAll(both("mlp"), "fr=0.5"), 0);
  assert.ok(worst(mixed.gram ?? [NaN], gramOf(french, width)) < 1e-7);
  assert.is(mixed.tokens, 10);
});

test("sites come out in the order of reading; the block's own input is left to similarity", async () => {
  const sites = await mixAll([diagonalStatistic("input", "en", english, width), ...both("qkv"), ...both("mlp")]);
  assert.equal(
    sites.map(({ site }) => site),
    ["qkv", "mlp"],
  );
});

test("a site comes out before the next but one is read", async () => {
  let read = 0;
  async function* counted(): AsyncGenerator<Statistic> {
    for await (const statistic of streamOf([...both("a"), ...both("b"), ...both("c")])) {
      read += 1;
      yield statistic;
    }
  }
  const sites = mixSites(counted(), undefined);
  await sites.next();
  assert.is(read, 3);
});

test("diagonals alone make no Gram; both kinds together agree", async () => {
  const alone = await mixAll([diagonalStatistic("mlp", "en", english, width), diagonalStatistic("mlp", "fr", french, width)]);
  assert.is(at(alone, 0).gram, undefined);
  const together = await mixAll([...both("mlp"), diagonalStatistic("mlp", "en", english, width)]);
  assert.ok(worst(at(alone, 0).diagonal, at(together, 0).diagonal) < 1e-6);
});

const broken: [what: string, statistics: Statistic[]][] = [
  ["one language twice", [...both("mlp"), gramStatistic("mlp", "en", english, width)]],
  ["two widths", [...both("mlp"), gramStatistic("mlp", "de", randomStates(4, 5, 3), 5)]],
  ["a site that comes back", [...both("mlp"), ...both("qkv"), ...both("mlp")]],
  ["a Gram here and a diagonal there", [at(both("mlp"), 0), diagonalStatistic("mlp", "fr", french, width)]],
];
for (const [what, statistics] of broken) {
  test(`${what} is refused`, async () => {
    const error = await failureOf(() => mixAll(statistics));
    assert.instance(error, BadDataError);
    assert.is((error as BadDataError).facts["site"], "mlp");
  });
}

test.run();
