import { at } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { mixWorseThanAlone } from "../../../src/diagnosis/rules/mix-worse-than-alone.ts";
import type { MixAgainstAlone } from "../../../src/diagnosis/rules/mix-worse-than-alone.ts";
import { applyRule } from "../../../src/diagnosis/rules/rule.ts";

const rise = (value: number, width: number) => ({ rise: value, interval: [value - width, value + width] as const });
const worst = (mix: number, alone: number, width: number) => ({
  mix: { language: "te", ...rise(mix, width) },
  alone: { language: "ja", ...rise(alone, width) },
});

const comparison = (change: Partial<MixAgainstAlone>): MixAgainstAlone => ({
  method: "gptq 3 bits",
  mix: "equal mix",
  alone: "en",
  models: ["mixed", "english"],
  unweighted: [rise(-0.02, 0.01)],
  weighted: [rise(-0.01, 0.005)],
  worst: [worst(0.1, 0.3, 0.05)],
  losers: ["en"],
  winners: ["te", "ja"],
  ...change,
});

test("a mix that helps is no finding, even where English loses", () => {
  assert.is(applyRule(mixWorseThanAlone, comparison({})), undefined);
});

test("fires for each of the two means alone, and says which", () => {
  const unweighted = applyRule(mixWorseThanAlone, comparison({ unweighted: [rise(0.03, 0.01)] }));
  assert.is(unweighted?.title, "gptq 3 bits: the equal mix is worse than en alone, by the unweighted mean.");
  assert.equal(
    unweighted?.evidence.map(({ value, significant }) => [Number(value.toFixed(3)), significant]),
    [
      [0.03, true],
      [-0.01, false],
      [0.1, false],
      [0.3, false],
    ],
  );
  assert.match(unweighted?.remedy.command ?? "", /^mbs sample .*--mix proportional/);
  const weighted = applyRule(mixWorseThanAlone, comparison({ weighted: [rise(0.02, 0.01)] }));
  assert.match(weighted?.title ?? "", /by the weighted mean\.$/);
});

test("worst languages are named and claim nothing: their intervals are of languages chosen for their large rise", () => {
  assert.is(applyRule(mixWorseThanAlone, comparison({ worst: [worst(0.5, 0.3, 0.05)] })), undefined);
  const finding = applyRule(mixWorseThanAlone, comparison({ unweighted: [rise(0.03, 0.01)], worst: [worst(0.5, 0.3, 0.05)] }));
  assert.match(finding?.title ?? "", /by the unweighted mean\.$/);
  assert.equal(
    finding?.evidence.filter(({ what }) => what.startsWith("worst language")).map(({ significant }) => significant),
    [false, false],
  );
  assert.match(finding?.texts[0] ?? "", /rise of the worst language te \+50\.0%/);
});

test("does not fire where an interval touches zero", () => {
  assert.is(applyRule(mixWorseThanAlone, comparison({ unweighted: [rise(0.01, 0.01)] })), undefined);
  assert.ok(applyRule(mixWorseThanAlone, comparison({ unweighted: [rise(0.01, 0.0099)] })));
});

test("every seed has to support it; values are means over seeds, intervals their hull", () => {
  assert.is(applyRule(mixWorseThanAlone, comparison({ unweighted: [rise(0.03, 0.01), rise(0.01, 0.02)] })), undefined);
  const evidence = at(
    applyRule(mixWorseThanAlone, comparison({ unweighted: [rise(0.03, 0.01), rise(0.05, 0.01)] }))?.evidence ?? [],
    0,
  );
  assert.ok(Math.abs(evidence.value - 0.04) < 1e-12);
  assert.equal(
    evidence.interval?.map((end) => Number(end.toFixed(12))),
    [0.02, 0.06],
  );
});

test("without training shares two figures are left", () => {
  const finding = applyRule(mixWorseThanAlone, comparison({ unweighted: [rise(0.03, 0.01)], weighted: [] }));
  assert.is(finding?.evidence.length, 3);
  assert.not.match(JSON.stringify(finding), /NaN|null/);
});

test.run();
