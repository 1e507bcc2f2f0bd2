import {
  encodeAllocation,
  encodeBitAllocation,
  encodeDamage,
  encodeMixes,
  encodeScores,
  encodeSimilarities,
} from "@mbs/artifacts";
import { UsageError } from "@mbs/contracts";
import type { Presenter } from "@mbs/host-cli";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { presenters } from "../../src/results/presenters.ts";
import { present } from "../fixtures/present.ts";

const similarities = () =>
  encodeSimilarities(
    [
      ["h.0", "input", "degrees", 30],
      ["h.0", "mlp-up", "degrees", 44],
      ["h.0", "mlp-up", "subspace:4", 0.75],
      ["*", "*", "degrees", 37],
    ].map(([block, site, measure, value]) => ({
      block: String(block),
      site: String(site),
      measure: String(measure),
      first: "en",
      second: "mr",
      value: Number(value),
    })),
    { model: "" },
  );

const presenterOf = (kind: string): Presenter => present(presenters[kind], `presenter of ${kind}`);
const show = (options: object) => presenterOf("similarity").table(similarities(), { ...options });

test("the table of similarities shows the first input, or the site and measure asked for", async () => {
  assert.match(await show({}), /^angle between languages in degrees, input of h\.0\n[^]*\b30\b/);
  assert.match(await show({ at: "mean" }), /mean over all sites\n[^]*\b37\b/);
  assert.match(await show({ at: "h.0/mlp-up", measure: "subspace" }), /overlap of the 4 leading directions[^]*0\.75/);
  for (const options of [{ at: "h.9/mlp-up" }, { at: "h0" }, { measure: "gram" }, { measure: "colour" }]) {
    assert.instance(await show(options).catch((error: unknown) => error), UsageError, JSON.stringify(options));
  }
});

test("an allocation is shown by kind of tensor, one of sparsities by block", async () => {
  const about = { model: "", method: "damage", options: {}, sparsity: 0, weights: {} };
  const rows = ["Q3_K", "Q4_K"].map((type, layer) => {
    const block = `layers.${layer}`;
    return {
      block,
      tensor: `model.${block}.mlp.up_proj.weight`,
      parameters: 8,
      importance: 1,
      grid: { kind: "blocks" as const, type },
    };
  });
  const types = () => encodeBitAllocation(rows, { ...about, bitsPerWeight: 3.96875 });
  const text = await presenterOf("allocation").table(types(), {});
  assert.match(text, /^tensors +Q3_K +Q4_K +bits a weight\nmlp\.up_proj +1 +1 +3\.97\n3\.969 bits a weight with scales\n$/);
  assert.equal(((await presenterOf("allocation").json(types())) as { tensors: object }).tensors, rows);
  const blocks = [{ block: "h.0", parameters: 8, importance: 1, sparsity: 0.5 }];
  const sparsities = () => encodeAllocation(blocks, { ...about, sparsity: 0.5, bitsPerWeight: undefined });
  assert.match(await presenterOf("allocation").table(sparsities(), {}), /^block +sparsity\nh\.0 +0\.5000\n$/);
  assert.equal(await presenterOf("allocation").json(sparsities()), { blocks });
  const own = rows.map(({ block, tensor, parameters }, layer) => ({
    block,
    tensor,
    parameters,
    importance: 1,
    sparsity: 0.4 + 0.2 * layer,
  }));
  const pruned = encodeAllocation(own, { ...about, sparsity: 0.5, bitsPerWeight: undefined });
  assert.match(
    await presenterOf("allocation").table(pruned, {}),
    /^sparsity by kind of tensor: mlp\.up_proj 0\.50 \(0\.40 to 0\.60\)\n/,
  );
});

const stream = () =>
  encodeDamage(
    ["en", "mr"].map((language, index) => ({
      block: "h.0",
      site: "mlp-up",
      tensor: "w",
      language,
      moment: "gram" as const,
      error: 1 + index,
      output: 10,
      damage: (1 + index) / 10,
    })),
    { model: "", solver: "rtn", scored: "", lossRises: undefined },
  );

test("predicted damage as table and as JSON", async () => {
  assert.match(await presenterOf("damage").table(stream(), {}), /mr +20%[^]*en +10%[^]*No losses are predicted/);
  const json = (await presenterOf("damage").json(stream())) as { languages: { language: string }[] };
  assert.equal(
    json.languages.map(({ language }) => language),
    ["mr", "en"],
  );
});

const mixes = () =>
  encodeMixes(
    ["en", "mr"].map((language) => ({ mix: "worst", language, weight: 0.5, loss: 0.02, low: 0.01, high: 0.03 })),
    {
      model: "small",
      dense: "M",
      measured: { en: 0.5, mr: 0.5 },
      exponent: 0.15,
      recommended: "worst",
      power: 4,
      importance: { en: 1, mr: 1 },
    },
  );

test("mixes as table and as JSON", async () => {
  assert.match(await presenterOf("mixes").table(mixes(), {}), /recommended\nmbs sample --mix en=0\.5,mr=0\.5\n/);
  const json = (await presenterOf("mixes").json(mixes())) as { recommended: { mix: string } };
  assert.is(json.recommended.mix, "en=0.5,mr=0.5");
});

test("the table of a shard of scores says that it is one", async () => {
  const shards = { first: 1, count: 1, of: 3 };
  const scores = encodeScores([], { corpus: "", length: 0, bos: "off", shares: undefined, models: undefined, shards });
  assert.match(await presenterOf("scores").table(scores, {}), /^these scores are of shard 2\/3; join all with mbs join-scores/);
});

test.run();
