import { encodeScores } from "@mbs/artifacts";
import type { Score } from "@mbs/artifacts";
import { at } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { collectArtifacts } from "../../src/collected.ts";
import { scoredMixPairs, scoredMixSections } from "../../src/mixes/scored-mix-pairs.ts";
import { sectionNames } from "../../src/page/section.ts";
import { scoredArtifacts } from "../../src/scores/scored-artifact.ts";
import type { ScoredArtifact } from "../../src/scores/scored-artifact.ts";
import { controlledResults } from "../controlled-results.ts";

interface Made {
  readonly name: string;
  readonly mix: Readonly<Record<string, number>>;
  /** Nats a token above the dense model, of en and te. */
  readonly rises: readonly [number, number];
  /** Number of the first window. */
  readonly first?: number;
}

const shares = { en: 0.75, te: 0.25 };
const equal = { en: 0.5, te: 0.5 };

/** A loss a model and window; windows differ a lot, models by the same on each. */
function scoresOf({ name, rises, first = 0 }: Made): Score[] {
  return ["en", "te"].flatMap((language, l) =>
    Array.from({ length: 12 }, (_, index) => ({
      model: name,
      address: name,
      language,
      source: "",
      window: first + index,
      nll: 100 * (2 + l + (index % 5) / 10 + at(rises, l)),
      tokens: 100,
      bytes: 400,
    })),
  );
}

async function scored(models: readonly Made[]): Promise<ScoredArtifact> {
  const scores = [{ name: "dense", mix: {}, rises: [0, 0] } as const, ...models].flatMap(scoresOf);
  const about = models.map(({ name, mix }) => [
    name,
    { bytes: 1, made: { source: "dense", format: "dense", methods: [{ solver: "gptq", options: {} }], mix } },
  ]);
  const stream = encodeScores(scores, {
    corpus: "",
    length: 101,
    bos: "off",
    shares,
    models: { dense: { bytes: 1 }, ...Object.fromEntries(about) },
  });
  return at(scoredArtifacts(await collectArtifacts([{ name: "scores", stream }])), 0);
}

const close = (actual: number | undefined, expected: number): void =>
  assert.ok(Math.abs((actual ?? NaN) - expected) < 1e-9, `${actual} is not ${expected}`);

test("each pair of mixes once, with the means and the paired intervals of every language", async () => {
  const pairs = scoredMixPairs(
    await scored([
      { name: "a", mix: { en: 1 }, rises: [0.1, 0.3] },
      { name: "b", mix: equal, rises: [0.15, 0.1] },
      { name: "c", mix: shares, rises: [0.12, 0.2] },
    ]),
  );
  assert.equal(
    pairs.map(({ mix, against }) => [mix, against]),
    [
      ["equal mix", "en alone"],
      ["proportional mix", "en alone"],
      ["proportional mix", "equal mix"],
    ],
  );
  const { method, differences } = at(pairs, 0);
  assert.is(method, "gptq");
  assert.equal(
    differences.map(({ of }) => of),
    ["unweighted mean", "weighted by training mixture", "en", "te"],
  );
  // in logarithms: (0.05 - 0.2) / 2, 0.75 · 0.05 - 0.25 · 0.2, then each language's own
  for (const [index, logarithm] of [-0.075, -0.0125, 0.05, -0.2].entries()) {
    const { rise, interval } = at(differences, index);
    close(rise, Math.expm1(logarithm));
    // the difference is the same on every window, so that the interval is a point
    close(interval?.[0], Math.expm1(logarithm));
    close(interval?.[1], Math.expm1(logarithm));
  }
});

test("of several seeds there is the mean", async () => {
  const [pair] = scoredMixPairs(
    await scored([
      { name: "a", mix: { en: 1 }, rises: [0.1, 0.3] },
      { name: "b", mix: equal, rises: [0.2, 0.3] },
      { name: "b again", mix: equal, rises: [0.3, 0.3] },
    ]),
  );
  const en = pair?.differences.find(({ of }) => of === "en");
  close(en?.rise, (Math.expm1(0.1) + Math.expm1(0.2)) / 2);
  close(en?.interval?.[0], Math.expm1(0.1));
  close(en?.interval?.[1], Math.expm1(0.2));
});

test("on other windows there is the plain difference without an interval, and the section says so", async () => {
  const artifact = await scored([
    { name: "a", mix: { en: 1 }, rises: [0.1, 0.3] },
    { name: "b", mix: equal, rises: [0.2, 0.3], first: 100 },
  ]);
  const { differences } = at(scoredMixPairs(artifact), 0);
  assert.equal(
    differences.map(({ of, interval }) => [of, interval]),
    [
      ["en", undefined],
      ["te", undefined],
    ],
  );
  close(at(differences, 0).rise, Math.expm1(0.1));
  const section = at(scoredMixSections(artifact, sectionNames("scores", 0, 1)), 0);
  assert.match(section.texts?.join(" ") ?? "", /were not scored on the same windows: that is the plain difference/);
  assert.equal(section.tables?.[0]?.table.rows[0], ["en", "+10.5% (other windows)"]);
});

test("without two mixes of one method there is nothing to compare", async () => {
  const artifact = await scored([{ name: "a", mix: equal, rises: [0.1, 0.3] }]);
  assert.equal(scoredMixSections(artifact, sectionNames("scores", 0, 1)), []);
});

test("on real results the tables stand by method, their differences add up and the clear ones have a star", async () => {
  const artifact = at(scoredArtifacts(await collectArtifacts(await controlledResults())), 0);
  const { tables = [], data = [], texts = [] } = at(scoredMixSections(artifact, sectionNames("scores", 0, 1)), 0);
  assert.equal(
    tables.map(({ caption, table }) => [caption.replace(/^(\w+).*: /, "$1: "), table.rows.length]),
    [
      ["sparsegpt: against en alone", 18],
      ["sparsegpt: against equal mix", 18],
      ["wanda: against en alone", 18],
      ["wanda: against equal mix", 18],
    ],
  );
  assert.not.match(texts.join(), /other windows/);
  for (const { rise, low, high } of data) assert.ok(Number(low) <= Number(rise) && Number(rise) <= Number(high));
  for (const { table } of tables) {
    for (const cell of table.rows.flatMap((row) => row.slice(1))) {
      const [, star, low, high] = /^[+-][\d.]+%( \*)? \((\S+) … (\S+)%\)$/.exec(cell) ?? [];
      // rounded to a tenth of a percent, an end may read 0
      assert.ok(low !== undefined && high !== undefined, cell);
      assert.ok(star === undefined ? Number(low) <= 0 && Number(high) >= 0 : Number(low) >= 0 || Number(high) <= 0, cell);
    }
  }
});

test.run();
