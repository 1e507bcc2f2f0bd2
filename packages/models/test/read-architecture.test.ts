import { test } from "uvu";
import * as assert from "uvu/assert";
import type { TensorFile } from "../src/checkpoint/checkpoint.ts";
import { readBase, weightFile } from "./config-sweep/bases.ts";
import { readCase } from "./config-sweep/sweep.ts";

/** A file with one more tensor, whose bytes are those of another, with `offset` added to the first. */
function withCopy(file: TensorFile, name: string, of: string, offset: number): TensorFile {
  const source = file.tensors.find((entry) => entry.name === of);
  if (source === undefined) throw new Error(`there is no ${of}`);
  const copy = { ...source, name };
  return {
    ...file,
    tensors: [...file.tensors, copy],
    readInto(entry, at, target) {
      file.readInto(entry === copy ? source : entry, at, target);
      if (entry === copy && at === 0 && target.length > 0) target[0] = ((target[0] ?? 0) + offset) % 256;
    },
    close: () => undefined,
  };
}

test("a head that repeats the embedding is the embedding, and one that differs in a bit is a head", async () => {
  const base = await readBase("llama-biases-tied");
  const file = await weightFile(base);
  for (const [offset, head] of [
    [0, "model.embed_tokens.weight"],
    [1, "lm_head.weight"],
  ] as const) {
    const read = await readCase(withCopy(file, "lm_head.weight", "model.embed_tokens.weight", offset), base.config);
    assert.is(typeof read === "string" ? read : read.layout.head, head);
  }
});

test("a T5 whose encoder has an embedding of its own is refused, one that repeats the shared one is read", async () => {
  const base = await readBase("t5");
  const file = await weightFile(base);
  const name = "encoder.embed_tokens.weight";
  const same = await readCase(withCopy(file, name, "shared.weight", 0), base.config);
  assert.type(same, "object");
  const other = await readCase(withCopy(file, name, "shared.weight", 1), base.config);
  assert.match(typeof other === "string" ? other : "", /encoder\.embed_tokens\.weight differs from shared\.weight/);
});

test("keys that are not known are noted in one line", async () => {
  const base = await readBase("llama");
  const config = { ...base.config, key_of_tomorrow: 2, rope_scaling: { type: "linear", factor: 2, riddle: 1 } };
  const read = await readCase(await weightFile(base), config);
  assert.equal(typeof read === "string" ? read : read.notes, [
    "config.json has keys that are not read for this model type: key_of_tomorrow, rope_scaling.riddle; if the model depends on one of them, results are wrong",
  ]);
});

test.run();
