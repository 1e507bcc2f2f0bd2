import { at } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { siteStatistics } from "../src/site/site-statistics.ts";
import { makeFactor } from "./tiny-site.ts";

test("what a solver changes of its statistics does not reach the factor", async () => {
  const [block, site, width] = ["h.0", "mlp-up", 4];
  const made = await makeFactor(block, site, width);
  const factor = {
    ...made,
    gram: new Float32Array(10).fill(1),
    crossMoment: new Float32Array(16).fill(2),
    languageDiagonals: [{ language: "en", values: made.diagonal.slice() }],
  };
  const before = structuredClone(factor);
  const needs = ["factor", "diagonal", "gram", "crossMoment", "languageDiagonals"] as const;
  const given = siteStatistics({ block, site, width, factor }, needs);
  const { upper } = given.factor ?? {};
  for (const values of [upper, given.diagonal, given.gram, given.crossMoment, at(given.languageDiagonals ?? [], 0).values]) {
    assert.ok(values !== undefined && values.length > 0);
    values.fill(7);
  }
  assert.equal(factor, before);
});

test.run();
