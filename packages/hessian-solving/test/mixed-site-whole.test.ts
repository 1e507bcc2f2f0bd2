import type { Statistic } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { mixSites } from "../src/mixed-site.ts";

const common = { block: "h.0", site: "mlp-up", width: 2 };

/** What capture writes beyond its budget: one Gram of all tokens, a diagonal a language. */
async function* beyondBudget(): AsyncGenerator<Statistic> {
  yield { ...common, language: "*", kind: "gram", tokens: 4, values: Float32Array.of(2, 0.5, 3) };
  yield { ...common, language: "en", kind: "diagonal", tokens: 3, values: Float32Array.of(1, 2) };
  yield { ...common, language: "mr", kind: "diagonal", tokens: 1, values: Float32Array.of(5, 6) };
}

test("the Gram of all languages is the mixed one, languages weigh by tokens", async () => {
  const mixed = [];
  for await (const site of mixSites(beyondBudget(), undefined)) mixed.push(site);
  assert.equal(mixed, [
    {
      ...common,
      tokens: 4,
      weights: { en: 0.75, mr: 0.25 },
      diagonal: Float32Array.of(2, 3),
      gram: Float32Array.of(2, 0.5, 3),
      languageDiagonals: [
        { language: "en", values: Float32Array.of(1, 2) },
        { language: "mr", values: Float32Array.of(5, 6) },
      ],
    },
  ]);
});

test("it cannot be mixed otherwise", async () => {
  try {
    await mixSites(beyondBudget(), new Map([["en", 1]])).next();
    assert.unreachable();
  } catch (error) {
    assert.instance(error, BadDataError);
    assert.match(String(error), "give capture this --mix, or --grams languages and a --budget for them");
  }
});

test.run();
