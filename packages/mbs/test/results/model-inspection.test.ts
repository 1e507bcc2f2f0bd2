import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { inspectModel, modelText } from "../../src/results/model-inspection.ts";
import { runMbs } from "../fixtures/run-mbs.ts";

const pathOf = (path: string): string => fileURLToPath(new URL(`../../../../${path}`, import.meta.url));

test("a model says what it is, of what it consists, and what can be made of it", async () => {
  const found = await inspectModel(pathOf("datasets/controlled-llama"));
  assert.equal([found.type, found.blocks, found.width, found.vocabulary, found.context], ["llama", 4, 256, 4096, 256]);
  assert.equal([found.mixture, found.languages.length], ["controlled-llama", 16]);
  assert.equal(
    found.parts.map(({ tensors }) => tensors),
    [28, 1, 9],
  );
  assert.is(
    found.parts.reduce((sum, { parameters }) => sum + parameters, 0),
    found.parameters,
  );
  assert.ok(found.formats.every(({ problem }) => problem === undefined) && found.solvers.length >= 9);
  const text = modelText(found);
  assert.match(text, /\nformats +dense, compressed-tensors, gptq, gptq-v2, gguf, onnx\n/);
  assert.ok(
    text.split("\n").every((line) => line.length <= 80),
    text,
  );
});

test("what does not work with a model is named with its reason, once", async () => {
  const { stdout, code } = await runMbs(["inspect", pathOf("packages/models/test/fixtures/forward/llama-grouped-f32")]);
  assert.is(code, 0);
  assert.match(stdout.toString(), /\nlanguages +not published; name yours with --languages\n/);
  assert.match(stdout.toString().replaceAll(/\s+/g, " "), / not gptq, gptq-v2: layer .* no multiple of 32/);
});

test("a folder that is no model is refused with what is in it", async () => {
  const { stderr, code } = await runMbs(["inspect", pathOf("recipes")]);
  assert.equal(
    [code, /is a folder without a model, and inspect reads an artifact, a model or a GGUF file/.test(stderr)],
    [2, true],
  );
});

test.run();
