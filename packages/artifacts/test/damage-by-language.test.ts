import { test } from "uvu";
import * as assert from "uvu/assert";
import { damageByLanguage, weightedDamage } from "../src/damage-by-language.ts";
import type { DamageRecord } from "../src/kinds/records.ts";

const record = (language: string, tensor: string, damage: number, output: number): DamageRecord => ({
  block: "h.0",
  site: "mlp-up",
  tensor,
  language,
  moment: "gram",
  error: damage * output,
  output,
  damage,
});

test("damage is a mean over tensors, not over what they put out", () => {
  const records = [record("te", "a", 0.5, 1), record("en", "a", 0.25, 1), record("te", "b", 0.25, 99), record("en", "b", 0, 99)];
  assert.equal(
    [...damageByLanguage(records)],
    [
      ["en", 0.125],
      ["te", 0.375],
    ],
  );
  assert.is(damageByLanguage([]).size, 0);
});

test("weights need not sum to 1, and languages without one do not count", () => {
  const damages = new Map(Object.entries({ en: 0.5, fr: 9, te: 0.25 }));
  // (0.5 + 3 · 0.25) / 4
  assert.is(weightedDamage(damages, new Map(Object.entries({ te: 3, en: 1 }))), 0.3125);
});

test.run();
