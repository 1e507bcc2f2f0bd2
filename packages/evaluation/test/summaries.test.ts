import type { Score } from "@mbs/artifacts";
import { UsageError, at } from "@mbs/contracts";
import { averageLanguages, comparePairs, scoresReport, summarise, summariseSources } from "@mbs/evaluation";
import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { test } from "uvu";
import * as assert from "uvu/assert";

const close = (actual: number | undefined, expected: number, tolerance = 1e-12): void =>
  assert.ok(Math.abs((actual ?? NaN) - expected) <= tolerance * Math.abs(expected), `${actual} is not ${expected}`);

/** Windows with the given mean losses in nats a token, 10 tokens and 40 bytes each. */
function windows(model: string, language: string, losses: readonly number[], source = ""): Score[] {
  return losses.map((loss, window) => ({
    model,
    address: model,
    language,
    source,
    window,
    nll: 10 * loss,
    tokens: 10,
    bytes: 40,
  }));
}

const flat = (model: string, losses: Record<string, number>): Score[] =>
  Object.entries(losses).flatMap(([language, loss]) =>
    windows(
      model,
      language,
      Array.from({ length: 5 }, () => loss),
    ),
  );

const logWidth = ([low, high]: readonly [number, number]): number => Math.log(high / low);

test("perplexity and bits per byte, by hand", () => {
  const result = at(
    summarise([
      { model: "m", address: "a", language: "en", source: "", window: 0, nll: 12, tokens: 4, bytes: 10 },
      { model: "m", address: "a", language: "en", source: "", window: 1, nll: 4, tokens: 12, bytes: 30 },
    ]),
    0,
  );
  // 16 nats over 16 tokens and 40 bytes: every token counts once, whichever window it is in.
  close(result.perplexity, Math.E);
  close(result.bitsPerByte, 16 / Math.LN2 / 40);
  assert.equal([result.tokens, result.bytes, result.windows], [16, 40, 2]);
});

test("an interval holds the value, shrinks with more windows, and is a point where all windows are equal", () => {
  const generator = xoroshiro128plus(1);
  const losses = Array.from({ length: 400 }, () => 2 + uniformFloat64(generator));
  const few = at(summarise(windows("m", "en", losses.slice(0, 25))), 0);
  const many = at(summarise(windows("m", "en", losses)), 0);
  for (const { perplexity, interval } of [few, many]) assert.ok(interval[0] < perplexity && perplexity < interval[1]);
  const width = ({ interval }: typeof few): number => interval[1] - interval[0];
  // Sixteen times the windows: a quarter of the width, within 40%.
  assert.ok(width(many) / width(few) > 0.15 && width(many) / width(few) < 0.35, String(width(many) / width(few)));
  const flat = at(summarise(windows("m", "en", [1, 1, 1, 1, 1])), 0);
  close(flat.interval[0], Math.E);
  close(flat.interval[1], Math.E);
});

test("the bootstrap interval of a mean is that of normal theory", () => {
  const generator = xoroshiro128plus(2);
  const losses = Array.from({ length: 200 }, () => uniformFloat64(generator));
  const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
  const deviation = Math.sqrt(losses.reduce((sum, loss) => sum + (loss - mean) ** 2, 0) / losses.length / losses.length);
  const { interval } = at(summarise(windows("m", "en", losses)), 0);
  const [low, high] = [Math.log(interval[0]), Math.log(interval[1])];
  // 1000 resamples: the ends are good to about 10% of the deviation; three times that is allowed.
  assert.ok(Math.abs(low - (mean - 1.96 * deviation)) < 0.3 * deviation);
  assert.ok(Math.abs(high - (mean + 1.96 * deviation)) < 0.3 * deviation);
});

const noisy = [2, 3, 1, 4, 2.5, 3.5];

test("paired: a small even rise shows although windows differ much", () => {
  const raised = noisy.map((loss) => loss + 0.01);
  const scores = [...windows("dense", "en", noisy), ...windows("gptq", "en", raised)];
  const { pairs, notes } = comparePairs(scores);
  assert.equal(notes, []);
  assert.is(pairs.length, 1);
  const pair = at(pairs, 0);
  assert.equal([pair.model, pair.reference, pair.language, pair.excludesZero], ["gptq", "dense", "en", true]);
  close(pair.rise, Math.expm1(0.01), 1e-9);
  close(pair.interval[0], Math.expm1(0.01), 1e-9);
  close(pair.interval[1], Math.expm1(0.01), 1e-9);
  // Unpaired, the intervals overlap almost wholly.
  const results = summarise(scores);
  const [dense, gptq] = [at(results, 0), at(results, 1)];
  assert.ok(gptq.interval[0] < dense.interval[1]);
});

test("paired: differences about zero do not exclude it; the reference can be named", () => {
  const other = noisy.map((loss, index) => loss + (index % 2 === 0 ? 0.1 : -0.1));
  const scores = [...windows("a", "en", other), ...windows("b", "en", noisy)];
  const { pairs } = comparePairs(scores, "b");
  assert.equal([pairs.length, at(pairs, 0).model, at(pairs, 0).reference, at(pairs, 0).excludesZero], [1, "a", "b", false]);
  assert.throws(
    () => comparePairs(scores, "c"),
    (error: unknown) => error instanceof UsageError && error.message.includes("a, b"),
  );
});

test("models scored on other windows are not compared, with a note; the order of rows does not matter", () => {
  const other = windows("other", "en", noisy.slice(0, 5));
  const { pairs, notes } = comparePairs([...windows("dense", "en", noisy), ...other]);
  assert.equal(pairs, []);
  assert.match(at(notes, 0), /^other and dense were not scored on the same windows in en: .*bits per byte$/);
  const averages = at(averageLanguages([...windows("dense", "en", noisy), ...other]), 1);
  assert.is(averages.unweighted.rise, undefined);
  assert.is(averages.worstRise, undefined);
  assert.ok(averages.unweighted.bitsPerByte > 0);
  const scores = [
    ...windows("dense", "en", noisy),
    ...windows(
      "gptq",
      "en",
      noisy.map((loss) => loss + 1),
    ),
  ];
  assert.equal(comparePairs(scores.toReversed(), "dense"), comparePairs(scores, "dense"));
});

test("three averages, by hand", () => {
  const scores = [...flat("dense", { en: 1, fr: 2, mr: 3 }), ...flat("gptq", { en: 1.1, fr: 2.1, mr: 3.4 })];
  const averages = averageLanguages(scores, { en: 6, fr: 3, mr: 1, xx: 90 });
  const [dense, gptq] = [at(averages, 0), at(averages, 1)];
  close(dense.unweighted.perplexity, Math.exp(2));
  close(dense.weighted?.perplexity, Math.exp(0.6 + 0.6 + 0.3));
  close(dense.unweighted.bitsPerByte, (20 / 40) * (1 / Math.LN2));
  assert.is(dense.unweighted.rise, undefined);
  assert.is(dense.worstRise, undefined);
  assert.is(dense.worst.language, "mr");
  close(dense.worst.perplexity, Math.exp(3));
  close(gptq.unweighted.rise, Math.expm1(0.2), 1e-9);
  close(gptq.weighted?.rise, Math.expm1(0.06 + 0.03 + 0.04), 1e-9);
  assert.is(gptq.worstRise?.language, "mr");
  close(gptq.worstRise?.rise, Math.expm1(0.4), 1e-9);
  close(gptq.worstRise?.interval[0], Math.expm1(0.4), 1e-9);
  assert.is(gptq.unweighted.excludesZero, true);
  assert.is(at(averageLanguages(scores), 0).weighted, undefined);
  assert.is(at(averageLanguages(scores, { xx: 1 }), 0).weighted, undefined);
});

test("of languages that differ by noise alone, the worst one's rise claims nothing and has its own interval", () => {
  for (let trial = 0; trial < 20; trial += 1) {
    const generator = xoroshiro128plus(100 + trial);
    const scores = ["dense", "same"].flatMap((model) =>
      Array.from({ length: 9 }, (_, language) =>
        windows(
          model,
          `l${language}`,
          Array.from({ length: 12 }, () => 2 + uniformFloat64(generator)),
        ),
      ).flat(),
    );
    const { worstRise } = at(averageLanguages(scores), 1);
    const pair = comparePairs(scores).pairs.find(({ language }) => language === worstRise?.language);
    assert.equal(worstRise, { language: pair?.language, rise: pair?.rise, interval: pair?.interval });
  }
});

test("too few windows give no interval and no claim", () => {
  const scores = (count: number): Score[] =>
    ["dense", "gptq"].flatMap((model, rise) =>
      windows(
        model,
        "en",
        noisy.slice(0, count).map((loss) => loss + 0.1 * rise),
      ),
    );
  for (const count of [1, 4]) {
    const { results, pairs, averages, notes } = scoresReport(scores(count), { shares: { en: 1 } });
    assert.match(notes.join(), /^fewer than 5 windows of en: no intervals there/);
    const { unweighted, weighted, worstRise } = at(averages, 1);
    const intervals = [results[1], pairs[0], unweighted, weighted, worstRise].map((entry) => entry?.interval);
    for (const interval of [...intervals, unweighted.riseInterval]) assert.equal(interval, [NaN, NaN]);
    assert.equal([at(pairs, 0).excludesZero, unweighted.excludesZero, weighted?.excludesZero], [false, false, false]);
    close(at(pairs, 0).rise, Math.expm1(0.1), 1e-9);
  }
  assert.is(at(comparePairs(scores(5)).pairs, 0).excludesZero, true);
  assert.equal(scoresReport(scores(5)).notes, []);
  // one language that has too few leaves the mean of all without an interval, and no other language
  const mean = at(averageLanguages([...scores(6), ...windows("dense", "fr", [1]), ...windows("gptq", "fr", [1])], { en: 1 }), 1);
  assert.equal([mean.unweighted.excludesZero, mean.weighted?.excludesZero, mean.worstRise?.language], [false, true, "en"]);
});

test("an average's interval is narrower than that of its languages", () => {
  const generator = xoroshiro128plus(5);
  const scores = Array.from({ length: 9 }, (_, index) =>
    windows(
      "m",
      `l${index}`,
      Array.from({ length: 30 }, () => 2 + uniformFloat64(generator)),
    ),
  ).flat();
  const { unweighted } = at(averageLanguages(scores), 0);
  const widths = summarise(scores).map(({ interval }) => logWidth(interval));
  const mean = widths.reduce((sum, value) => sum + value, 0) / 9;
  // Nine independent languages: a third of the width, within 25%.
  assert.ok(
    logWidth(unweighted.interval) / mean > 0.25 && logWidth(unweighted.interval) / mean < 0.42,
    String(logWidth(unweighted.interval) / mean),
  );
});

test("the report holds all, by source too, and is the same each time", () => {
  const scores = [
    ...windows("dense", "en", noisy, "a"),
    ...windows("dense", "en", noisy.toReversed(), "b").map((score) => ({ ...score, window: score.window + 6 })),
  ];
  const report = scoresReport(scores, { shares: { en: 1 } });
  assert.equal(JSON.parse(JSON.stringify(report)), report);
  assert.equal(scoresReport(scores, { shares: { en: 1 } }), report);
  assert.equal(Object.keys(report), ["results", "averages", "pairs", "distances", "sources", "tasks", "notes"]);
  assert.equal(
    report.sources.map(({ source, windows: count }) => [source, count]),
    [
      ["a", 6],
      ["b", 6],
    ],
  );
  close(at(report.sources, 0).perplexity, Math.exp(16 / 6));
  for (const key of ["model", "language", "perplexity", "bitsPerByte", "tokens", "windows"])
    assert.ok(key in at(report.results, 0), key);
  assert.equal(summariseSources(windows("m", "en", noisy)), []);
  const tasks = { results: [], pairs: [], means: [], notes: [] };
  assert.equal(scoresReport([]), { results: [], averages: [], pairs: [], distances: [], sources: [], tasks, notes: [] });
});

test.run();
