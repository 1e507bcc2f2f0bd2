import { at, UsageError } from "@mbs/contracts";
import { readDistribution } from "@mbs/corpora";
import { countSegments } from "@mbs/corpus-sampling";
import { floorShift } from "../src/counts.ts";
import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { test } from "uvu";
import * as assert from "uvu/assert";

const counts = (shares: Record<string, number>, total: number, floor: number): [string, number][] => [
  ...countSegments(new Map(Object.entries(shares)), total, floor),
];

test("largest remainders, by hand", () => {
  // Quotas 4.7, 3.1, 2.2: whole 4 + 3 + 2, and the one left goes to the remainder 0.7.
  assert.equal(counts({ a: 0.47, b: 0.31, c: 0.22 }, 10, 0), [
    ["a", 5],
    ["b", 3],
    ["c", 2],
  ]);
});

test("equal remainders go to the larger share, then by name", () => {
  assert.equal(counts({ z: 1, b: 1, c: 1 }, 4, 0), [
    ["b", 2],
    ["c", 1],
    ["z", 1],
  ]);
  assert.equal(counts({ b: 1, a: 1, c: 2 }, 2, 0), [
    ["c", 1],
    ["a", 1],
    ["b", 0],
  ]);
});

test("the floor is taken from the others, in proportion", () => {
  // c and d are raised to 1; the other 8 are divided 3 : 1.
  assert.equal(counts({ a: 0.72, b: 0.24, c: 0.03, d: 0.01 }, 10, 1), [
    ["a", 6],
    ["b", 2],
    ["c", 1],
    ["d", 1],
  ]);
  // Raising c leaves too little for b, which is then raised too.
  assert.equal(counts({ a: 0.79, b: 0.201, c: 0.009 }, 15, 3), [
    ["a", 9],
    ["b", 3],
    ["c", 3],
  ]);
});

test("the paper's 256 segments come back from its shares", async () => {
  const { shares } = await readDistribution("mbs-paper");
  const found = countSegments(shares, 256, 1);
  const paper = "en 87, zh-Hans 47, fr 37, es 31, pt 14, ar 13, vi 7, hi 4, id 3, bn 3";
  for (const entry of paper.split(", ")) {
    const [language = "", count] = entry.split(" ");
    assert.is(found.get(language), Number(count), language);
  }
  for (const language of "ta te ur ne mr gu zh-Hant sw yo ig".split(" ")) assert.is(found.get(language), 1, language);
  assert.is(found.size, 20);
});

test("any shares add up to exactly the total, none below the floor, larger shares never fewer", () => {
  const generator = xoroshiro128plus(3);
  for (let round = 0; round < 300; round++) {
    const languages = 1 + (round % 30);
    const shares = new Map(Array.from({ length: languages }, (_, index) => [`l${index}`, uniformFloat64(generator) ** 6 + 1e-9]));
    const floor = round % 3;
    const total = languages * 2 + Math.floor(uniformFloat64(generator) * 300);
    const found = [...countSegments(shares, total, floor)];
    assert.is(
      found.reduce((sum, [, count]) => sum + count, 0),
      total,
    );
    assert.ok(found.every(([, count]) => count >= floor));
    for (let index = 1; index < found.length; index++) assert.ok(at(found, index - 1)[1] >= at(found, index)[1]);
  }
});

test("more languages than segments is an error that says what to do", () => {
  assert.throws(
    () => counts({ a: 1, b: 1, c: 1 }, 2, 1),
    (error: unknown) => error instanceof UsageError && error.message.includes("--floor 0"),
  );
  assert.equal(counts({ a: 1, b: 1, c: 1 }, 2, 0), [
    ["a", 1],
    ["b", 1],
    ["c", 0],
  ]);
});

test("a floor that moves more than 5% of the segments is described, with the segments that keep the shares", async () => {
  const shares = new Map([
    ["a", 0.72],
    ["b", 0.24],
    ["c", 0.03],
    ["d", 0.01],
  ]);
  // of 10 segments c and d get 2, where 0.4 were asked for; of n segments below 34 as long as 2 / n - 0.04 > 0.05
  assert.equal(floorShift(shares, 10, 1), { raised: 2, given: 0.2, asked: 0.04, enough: 23 });
  assert.is(floorShift(shares, 23, 1), undefined);
  assert.ok(floorShift(shares, 22, 1));
  assert.is(floorShift(shares, 10, 0), undefined);
  assert.is(
    floorShift(
      new Map([
        ["a", 2],
        ["b", 2],
      ]),
      2,
      1,
    ),
    undefined,
  );
  const { shares: paper } = await readDistribution("mbs-paper");
  assert.is(floorShift(paper, 256, 1), undefined);
  assert.is(floorShift(paper, 20, 1)?.raised, [...paper.values()].filter((share) => share < 0.05).length);
});

test.run();
