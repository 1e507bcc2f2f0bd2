import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { at, BadDataError, FailedPreconditionError } from "@mbs/contracts";
import { openModel, runBlocks } from "../src/index.ts";
import { encoderTypes } from "../src/testing.ts";

interface Golden {
  readonly tokens: readonly number[];
  readonly rows: readonly number[];
  readonly states: readonly (readonly number[])[];
}

/** States of size 3 behind some 20 products with sums of at most 48 terms: √(20 · 48) · 2⁻²⁴ · 3 = 6e-6 as a rule. */
const rounding = 1e-4;

const fixtures = fileURLToPath(new URL("fixtures/encoders/", import.meta.url));
const root = await mkdtemp(join(tmpdir(), "encoders-test-"));
test.after(() => rm(root, { recursive: true }));

const cases = await readdir(fixtures);
const plain = `${fixtures}xlm-roberta-f32`;

test("there are golden models of every encoder", async () => {
  const types = await Promise.all(
    cases.map(
      async (name) => (JSON.parse(await readFile(`${fixtures}${name}/config.json`, "utf8")) as { model_type: string }).model_type,
    ),
  );
  assert.equal([...new Set(types)].sort(), [...encoderTypes]);
});

/** An export of torch in a folder of its own. */
async function exportOf(name: string): Promise<string> {
  const folder = await mkdtemp(join(root, "export-"));
  for (const file of ["config.json", "tokenizer.json", "tokenizer_config.json"])
    await cp(`${fixtures}${name}/${file}`, join(folder, file));
  await cp(fileURLToPath(new URL(`fixtures/onnx/${name}`, import.meta.url)), join(folder, "onnx"), { recursive: true });
  return folder;
}

for (const [name, kind, folder] of [
  ...cases.map((name) => [name, "safetensors", `${fixtures}${name}`] as const),
  ["xlm-roberta-f32", "an export to ONNX", await exportOf("xlm-roberta-f32")] as const,
]) {
  test(`states of ${name}, ${kind}, are those of transformers`, async () => {
    const golden = JSON.parse(await readFile(`${fixtures}${name}/golden.json`, "utf8")) as Golden;
    const model = await openModel(folder);
    assert.is(model.stacks, "encoder");
    const forward = await model.forward({ threads: 1 });
    const { ofPrompt } = await model.passages();
    const inputs = ofPrompt(Int32Array.from(golden.tokens.slice(1, -1)));
    assert.equal([...(inputs.get("hidden") ?? [])], golden.tokens, "the text has its ends around it");
    const { values, columns } = await runBlocks(model, forward, inputs);
    await forward.close();
    await model.close();
    const furthest = Math.max(
      ...golden.rows.flatMap((row, index) =>
        at(golden.states, index).map((expected, column) => Math.abs(expected - at(values, row * columns + column))),
      ),
    );
    assert.ok(furthest < rounding, `states differ by ${furthest}`);
    assert.ok(Math.max(...at(golden.states, 0)) > 1, "states are large enough to be compared");
  });
}

test("the blocks of an export have its weights, and it has no losses", async () => {
  const model = await openModel(await exportOf("xlm-roberta-f32"));
  assert.equal(
    model.blocks.map(({ sites }) => sites.map(({ width, weights }) => `${width} ${weights.map(({ rows }) => rows).join(" ")}`)),
    Array.from({ length: 2 }, () => ["32 32 32 32", "32 32", "32 48", "48 32"]),
  );
  const forward = await model.forward({ threads: 1 });
  assert.throws(() => forward.score({ rows: 1, columns: 32, values: new Float32Array(32) }, Int32Array.of(0, 2)), /encoder/);
  await forward.close();
  await model.close();
});

test("an encoder has sites as a decoder has, and no head, trees or losses", async () => {
  const model = await openModel(plain);
  assert.equal(
    at(model.blocks, 0).sites.map(({ name, width, weights }) => `${name} ${width} ${weights.map(({ rows }) => rows).join(" ")}`),
    ["attention-qkv 32 32 32 32", "attention-output 32 32", "mlp-up 32 48", "mlp-down 48 32"],
  );
  assert.is(model.stacks, "encoder");
  assert.is(model.embeddings, undefined);
  const forward = await model.forward({ threads: 1 });
  assert.is(forward.tree, undefined);
  const states = await forward.embed(Int32Array.of(0, 7, 2));
  for (const predict of [() => forward.logits(states), () => forward.score(states, Int32Array.of(0, 7, 2))]) {
    assert.throws(predict, (error: unknown) => error instanceof FailedPreconditionError && /encoder/.test(error.message));
  }
  await forward.close();
  await model.close();
});

test("the longest text has as many tokens as positions behind that of padding, less its ends", async () => {
  const model = await openModel(plain);
  // 320 positions, of which the first two are for padding, and two ends
  assert.is(model.positionLimit, 316);
  const forward = await model.forward({ threads: 1 });
  const { ofPrompt } = await model.passages();
  const run = (length: number) => runBlocks(model, forward, ofPrompt(new Int32Array(length).fill(9)));
  assert.is((await run(316)).rows, 318);
  try {
    await run(317);
    assert.unreachable();
  } catch (error) {
    assert.instance(error, BadDataError);
    assert.match((error as Error).message, /a text of 317 tokens .* 316 positions/);
  }
  await forward.close();
  await model.close();
});

async function openChanged(changes: Record<string, unknown>): Promise<string> {
  const folder = await mkdtemp(join(root, "changed-"));
  await cp(plain, folder, { recursive: true });
  const config = JSON.parse(await readFile(join(folder, "config.json"), "utf8")) as Record<string, unknown>;
  await writeFile(join(folder, "config.json"), JSON.stringify({ ...config, ...changes }));
  return openModel(folder).then(
    async (model) => {
      await model.close();
      return "read";
    },
    (error: unknown) => (error as Error).message,
  );
}

const refused: readonly [string, unknown, RegExp][] = [
  ["is_decoder", true, /is_decoder true is not supported/],
  ["position_embedding_type", "relative_key", /position_embedding_type "relative_key" is not supported/],
  ["num_attention_heads", 5, /num_attention_heads must be a divisor of hidden_size 32/],
  ["pad_token_id", null, /pad_token_id must be a whole number/],
  ["pad_token_id", 317, /pad_token_id must be a token below vocab_size/],
  ["max_position_embeddings", 4, /max_position_embeddings must be at least 5, as positions begin at 2/],
];
for (const [key, value, message] of refused) {
  test(`${key} ${JSON.stringify(value)} is refused`, async () => {
    assert.match(await openChanged({ [key]: value }), message);
  });
}

test("an older configuration's kind of positions is read", async () => {
  assert.is(await openChanged({ position_embedding_type: "absolute", output_past: true }), "read");
});

test.run();
