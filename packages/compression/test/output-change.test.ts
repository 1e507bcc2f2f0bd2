import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openModel } from "@mbs/models";
import { putValue, writeTinyModel } from "@mbs/models/testing";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { measureOutputChange, positionsOf, pricesOf } from "../src/allocation/output-change.ts";
import type { Perturbation } from "../src/allocation/output-change.ts";
import { recordingContext, shortSegments } from "./tiny-site.ts";

const hiddenSize = 32;

/** Relative change of the output where one row of the last layer is doubled. */
async function changeByRow(folder: string, row: number): Promise<number> {
  const model = await openModel(folder);
  try {
    const tensor = model.blocks.at(-1)?.sites.at(-1)?.weights[0]?.tensor ?? "";
    const { changes } = await measureOutputChange(
      model,
      shortSegments(model.tokenizerAddress),
      new Set([tensor]),
      async ({ columns, values }) => values.map((value, index) => (Math.floor(index / columns) === row ? 2 * value : value)),
      recordingContext(),
    );
    return changes.get(tensor)?.get("en") ?? NaN;
  } finally {
    await model.close();
  }
}

test("the output is compared behind the last norm: channels that it closes do not count", async () => {
  const folder = mkdtempSync(join(tmpdir(), "mbs-output-"));
  try {
    await writeTinyModel(folder, { hiddenSize });
    const [open, closed] = [await changeByRow(folder, 0), await changeByRow(folder, 5)];
    assert.ok(closed > open / 10 && open > closed / 10, `${open} and ${closed} before`);
    for (let channel = 0; channel < hiddenSize; channel += 1) {
      putValue(folder, "ln_f.weight", channel, channel === 0 ? 1 : 0);
      putValue(folder, "ln_f.bias", channel, 0);
    }
    const [own, other] = [await changeByRow(folder, 0), await changeByRow(folder, 5)];
    assert.ok(own > 20 * other, `${own} by the channel that is read, ${other} by another`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("the positions of a language are of trials of all depths", () => {
  for (const [trials, languages] of [
    [126, 12],
    [224, 12],
    [224, 8],
    [7 * 26, 5],
  ] as const) {
    const [length, perTrial] = [20, Math.floor(1024 / trials)];
    const depths = Array.from({ length: languages }, (): number[] => []);
    for (let trial = 0; trial < trials; trial += 1) {
      for (const position of positionsOf(trial, perTrial, languages * length))
        depths[Math.floor(position / length)]?.push(trial / trials);
    }
    for (const own of depths) {
      const mean = own.reduce((sum, depth) => sum + depth, 0) / own.length;
      assert.ok(Math.abs(mean - 0.5) < 0.03, `${trials} trials, ${languages} languages: ${mean}`);
    }
  }
});

const byLanguage = (en: number, km: number): ReadonlyMap<string, number> => new Map(Object.entries({ en, km }));

test("a price is the tensor's, times what the language's changes and their costs are more than those of all", () => {
  const changes = new Map([
    ["small", byLanguage(0.01, 0.03)],
    ["large", byLanguage(0.1, 0.3)],
  ]);
  const caused = new Map([
    ["small", byLanguage(0.1, 0.1)],
    ["large", byLanguage(0.2, 0.2)],
  ]);
  const prices = pricesOf({ changes, losses: byLanguage(2, 5) }, caused);
  // a unit of error of the small one changes 0.2 in the mean; English has half of what is expected, and Khmer one and a half
  for (const [tensor, change] of [
    ["small", 0.2],
    ["large", 1],
  ] as const) {
    assert.ok(Math.abs(prices(tensor, "en") - change * 0.5 * 2) < 1e-12);
    assert.ok(Math.abs(prices(tensor, "km") - change * 1.5 * 5) < 1e-12);
    // of what the mix alone is known of
    assert.ok(Math.abs(prices(tensor, "*") - change * 3.5) < 1e-12);
  }
  assert.throws(() => prices("other", "en"), /other: its change of the model's output was not measured/);
});

test("what changed nothing costs nothing, and a language without changes has the common cost", () => {
  const nothing = new Map([["a", byLanguage(0, 0)]]);
  assert.is(pricesOf({ changes: nothing, losses: byLanguage(0, 0) }, nothing)("a", "en"), 0);
  const prices = pricesOf(
    { changes: new Map([["a", byLanguage(0.4, 0)]]), losses: byLanguage(2, 3) },
    new Map([["a", byLanguage(0.1, 0)]]),
  );
  // means of 0.2 over 0.05; English has 0.4 of 0.1 · 4, Khmer nothing of nothing, and so what both have together
  assert.ok(Math.abs(prices("a", "en") - 4 * 2) < 1e-12);
  assert.ok(Math.abs(prices("a", "km") - 4 * 3) < 1e-12);
});

test("experts, which are changed together, share what that does to the output", async () => {
  const model = await openModel(fileURLToPath(new URL("../../models/test/fixtures/forward/mixtral-f32", import.meta.url)));
  try {
    const sites = model.blocks[0]?.sites ?? [];
    const experts = sites.filter(({ name }) => /^expert-\d+-down/.test(name)).flatMap(({ weights }) => weights);
    assert.ok(experts.length > 1, `${experts.length} experts`);
    const [first = ""] = experts.map(({ tensor }) => tensor);
    const perturb: Perturbation = async ({ tensor, values }) => (tensor === first ? values.map((value) => 2 * value) : values);
    const measured = async (wanted: readonly string[]) => {
      return measureOutputChange(model, shortSegments(model.tokenizerAddress), new Set(wanted), perturb, recordingContext());
    };
    const alone = (await measured([first])).changes.get(first)?.get("en") ?? NaN;
    const { changes } = await measured(experts.map(({ tensor }) => tensor));
    assert.ok(alone > 0);
    for (const { tensor } of experts) {
      const part = changes.get(tensor)?.get("en") ?? NaN;
      assert.ok(Math.abs(part * experts.length - alone) < 1e-9 * alone, `${tensor}: ${part} of ${alone}`);
    }
  } finally {
    await model.close();
  }
});

test.run();
