import { at } from "@mbs/contracts";
import type { ScoredModel } from "@mbs/evaluation";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { compressedModels, nameMix } from "../../src/scores/compressed-models.ts";

const training = { en: 60, fr: 30, sw: 10 };

test("mixes have names that people know", () => {
  assert.is(nameMix({ te: 1 }, training), "te alone");
  assert.is(nameMix({ en: 1 / 3, fr: 1 / 3, sw: 1 / 3 }, training), "equal mix");
  assert.is(nameMix({ en: 0.6, fr: 0.3, sw: 0.1 }, training), "proportional mix");
  assert.is(nameMix({ en: 0.6, fr: 0.3, sw: 0.1 }, undefined), "mix of 3 languages (60% en)");
  assert.is(nameMix({ en: 0.1, fr: 0.45, sw: 0.45 }, undefined), "mix of 3 languages (45% each fr, sw)");
  assert.is(nameMix({ en: 0.64, fr: 0.26, sw: 0.1 }, training), "proportional mix", "4% of all text lies elsewhere");
  assert.is(nameMix({ en: 0.66, fr: 0.24, sw: 0.1 }, training), "mix of 3 languages (66% en)", "6%");
  const named = [{ name: "temperature:0.5 mix", weights: { en: 660, fr: 240, sw: 100 } }];
  assert.is(nameMix({ en: 0.66, fr: 0.24, sw: 0.1 }, training, named), "temperature:0.5 mix");
});

const made = (solver: string, ...options: readonly Record<string, unknown>[]): ScoredModel => ({
  bytes: 1,
  made: { source: "m", format: "dense", methods: options.map((own) => ({ solver, options: own })), mix: { en: 2, fr: 0 } },
});

test("methods are named by what people know them by; other options keep them apart", () => {
  const models = compressedModels(
    new Map([
      ["a", made("gptq", { bits: 3, groupSize: 64, search: "error" })],
      ["b", made("gptq", { bits: 3, groupSize: 64, search: "none" })],
      ["c", made("sparsegpt", { sparsity: 0.5, groupSize: 128 })],
      ["d", made("wanda", { pattern: "2:4", sparsity: 0.5 })],
      ["e", { bytes: 1 }],
      ["f", made("gptq", { bits: 3 }, { bits: 3, embeddings: "on" })],
    ]),
    training,
    [],
  );
  assert.equal(
    models.map(({ name, method }) => [name, method]),
    [
      ["a", "gptq 3 bits groups of 64"],
      ["b", "gptq 3 bits groups of 64"],
      ["c", "sparsegpt sparsity 0.5"],
      ["d", "wanda 2:4"],
      ["f", "gptq 3 bits"],
    ],
  );
  assert.is.not(at(models, 0).methodKey, at(models, 1).methodKey);
  assert.equal(at(models, 0).mix, { en: 1 }, "shares of 1, none of 0");
});

test.run();
