import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { inspectModel, summaryText } from "../../src/results/model-inspection.ts";
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
  if ("problem" in found.shrink) throw new Error(found.shrink.problem);
  const { bits, smallest } = found.shrink;
  assert.equal(
    bits.map((own) => [own.bits, own.stored, own.bytes < found.bytes / 2]),
    [
      [4, "Q4_K_M", true],
      [3, "Q3_K_M", true],
      [2, "Q2_K", true],
    ],
  );
  assert.ok(bits.every(({ bytes }) => bytes > smallest) && smallest > found.parameters / 8);
  const text = summaryText(found);
  assert.match(
    text,
    /^model .*\nsize +8\.40 MB.*\nshrink +--size [\d.]+MB at the least, [\d.]+ times smaller\n +--bits 4 makes /s,
  );
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
  assert.match(stdout.toString(), /\nmbs inspect \S+ --tensors lists \d+ tensors too\n$/);
  const listed = await runMbs([
    "inspect",
    pathOf("packages/models/test/fixtures/forward/llama-grouped-f32"),
    "--tensors",
    "--json",
  ]);
  assert.match(
    JSON.stringify((JSON.parse(listed.stdout.toString()) as { tensors: unknown }).tensors),
    /"name":"lm_head.weight","type":"F32"/,
  );
  const pairs = await runMbs(["inspect", pathOf("packages/models/test/fixtures/forward/m2m-100-f32")]);
  assert.match(pairs.stdout.toString(), /\nshrink +nothing: it translates, /);
});

test("a folder that is no model is refused with what is in it", async () => {
  const { stderr, code } = await runMbs(["inspect", pathOf("recipes")]);
  assert.equal(
    [code, /is a folder without a model, and inspect reads an artifact, a model or a GGUF file/.test(stderr)],
    [2, true],
  );
});

test.run();
