import { readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { FailedPreconditionError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { describeGguf, openModel, planGguf } from "../../src/index.ts";
import type { ArchitectureModel } from "../../src/index.ts";

const folder = fileURLToPath(new URL("../fixtures/gguf/models/", import.meta.url));

async function open(name: string): Promise<ArchitectureModel> {
  const model = await openModel(`${folder}${name}.gguf`);
  if (model.kind !== "architecture") throw new Error("a GGUF file is no graph");
  return model;
}

const written = (await readdir(folder))
  .filter((name) => /^(?!t5).*\.gguf$/.test(name))
  .map((name) => name.slice(0, -".gguf".length));

/** What is not planned: names and the type of most tensors, which the format adds, and the token between the texts of a pair. */
const unplanned =
  /^general\.(name|size_label|file_type|quantization_version)$|^tokenizer\.ggml\.(seperator_token_id|add_sep_token)$/;

const shapes = (list: readonly { readonly name: string; readonly shape: readonly number[] }[]) =>
  Object.fromEntries(list.map(({ name, shape }) => [name, shape]).sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)));

for (const name of written) {
  test(`${name}: metadata and tensors are those that llama.cpp's converter wrote`, async () => {
    const file = await describeGguf(`${folder}${name}.gguf`);
    const model = await open(name);
    try {
      const { metadata, tensors, notes } = await planGguf(model, new Map());
      assert.equal(notes, []);
      for (const [key, value] of file.metadata) {
        if (unplanned.test(key)) continue;
        const found = metadata.get(key)?.value;
        assert.equal(typeof found === "number" ? Math.fround(found) : found, value, `${key} of ${name}`);
      }
      assert.equal(shapes(tensors), shapes(file.tensors));
    } finally {
      await model.close();
    }
  });
}

test("refuses a model type that is not written, with those that are", async () => {
  const model = await open("t5");
  try {
    await planGguf(model, new Map());
    assert.unreachable();
  } catch (error) {
    assert.instance(error, FailedPreconditionError);
    assert.match(
      String(error),
      /model type t5 is not written as GGUF; supported: .*bloom, .*gemma2, gemma3_text, gemma4_text, gpt2/,
    );
  } finally {
    await model.close();
  }
});

test.run();
