import { test } from "uvu";
import * as assert from "uvu/assert";
import { damagesOf, weightedDamage } from "../src/damages.ts";
import type { LanguageError } from "../src/records.ts";

const error = (language: string, tensor: string, relative: number, output: number): LanguageError => ({
  step: "h.0",
  site: "mlp-up",
  tensor,
  language,
  moment: "gram",
  error: relative * output,
  output,
  relative,
});

test("damage is a mean over tensors, not over what they put out", () => {
  const errors = [error("te", "a", 0.5, 1), error("en", "a", 0.25, 1), error("te", "b", 0.25, 99), error("en", "b", 0, 99)];
  assert.equal(
    [...damagesOf(errors)],
    [
      ["en", 0.125],
      ["te", 0.375],
    ],
  );
  assert.is(damagesOf([]).size, 0);
});

test("weights need not sum to 1, and languages without one do not count", () => {
  const damages = new Map(Object.entries({ en: 0.5, fr: 9, te: 0.25 }));
  // (0.5 + 3 · 0.25) / 4
  assert.is(weightedDamage(damages, new Map(Object.entries({ te: 3, en: 1 }))), 0.3125);
});

test.run();
