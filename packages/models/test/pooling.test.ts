import { fileURLToPath } from "node:url";
import { FailedPreconditionError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openModel, readPooling } from "../src/index.ts";
import type { Model } from "../src/index.ts";

/** A model that has this as its `1_Pooling/config.json`, or none. */
const withPooling = (config?: object): Pick<Model, "files" | "path"> => ({
  path: "model",
  files: {
    list: () => Promise.resolve(config === undefined ? ["config.json"] : ["1_Pooling/config.json", "config.json"]),
    text: () => Promise.resolve(JSON.stringify(config)),
    read: () => [],
  },
});

test("pooling is what the model's file says, and the mean without one", async () => {
  for (const [name, pooling] of [
    ["xlm-roberta-f32", "mean"],
    ["xlm-roberta-types-bf16", "first"],
  ] as const) {
    const model = await openModel(fileURLToPath(new URL(`fixtures/encoders/${name}`, import.meta.url)));
    assert.is(await readPooling(model), pooling);
    await model.close();
  }
  assert.is(await readPooling(withPooling()), "mean");
  // as newer versions of sentence-transformers write it
  assert.is(await readPooling(withPooling({ pooling_mode: "cls" })), "first");
  assert.is(await readPooling(withPooling({ pooling_mode: "mean" })), "mean");
});

for (const [config, message] of [
  [{ pooling_mode_max_tokens: true }, /asks for pooling_mode_max_tokens; supported/],
  [
    { pooling_mode_mean_tokens: true, pooling_mode_cls_token: true },
    /asks for pooling_mode_mean_tokens and pooling_mode_cls_token/,
  ],
  [{ pooling_mode: "lasttoken" }, /asks for pooling_mode lasttoken; supported/],
  [{ word_embedding_dimension: 8 }, /asks for no pooling/],
] as const) {
  test(`${JSON.stringify(config)} is refused`, async () => {
    const error: unknown = await readPooling(withPooling(config)).catch((raised: unknown) => raised);
    assert.instance(error, FailedPreconditionError);
    assert.match(String(error), message);
  });
}

test.run();
