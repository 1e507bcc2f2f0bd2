import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { unpackFiles } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";
import { testContext } from "@mbs/contracts/testing";
import { openGgufFile, openModel } from "@mbs/models";
import { putValue } from "@mbs/models/testing";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { assemble } from "../src/index.ts";
import { caseLayers } from "./fixtures/quantised-model.ts";
import type { Rounding } from "./fixtures/quantised-model.ts";

const root = await mkdtemp(join(tmpdir(), "nonfinite-test-"));
test.after(() => rm(root, { recursive: true }));
let count = 0;

/** Rows of its weights are whole super-blocks, so that they get the types that are asked for. */
const sound = fileURLToPath(new URL("../../../datasets/controlled-llama", import.meta.url));

/** A copy of the model with another value in a tensor. */
async function withValue(ending: string, index: number, value: number, source = sound) {
  const folder = join(root, `changed-${count++}`);
  await cp(source, folder, { recursive: true });
  return { folder, tensor: putValue(folder, ending, index, value) };
}

/** One layer is enough for a format to write a model. */
const layerOf = (tensor: string): Rounding | undefined =>
  tensor.endsWith("layers.1.self_attn.v_proj.weight") ? { bits: 4, groupSize: 32, symmetric: true } : undefined;

/** Writes a model without layers, or with one. */
async function write(path: string, { withLayers = false, ...options }: { withLayers?: boolean; [option: string]: unknown }) {
  const warnings: string[] = [];
  const context = testContext({ warn: (line) => warnings.push(line) });
  const model = await openModel(path);
  try {
    const layers = withLayers ? [caseLayers(model, { rounding: layerOf })] : [];
    const { files } = await assemble.run({ layers }, { model: path, withoutLayers: !withLayers, ...options }, context);
    if (files === undefined) throw new Error("assemble wrote no files");
    const folder = join(root, `out-${count++}`);
    await unpackFiles(files, folder);
    return { folder, warnings };
  } finally {
    await model.close();
  }
}

async function refused(path: string, options: Parameters<typeof write>[1], expected: RegExp): Promise<void> {
  const error: unknown = await write(path, options).then(
    () => undefined,
    (cause: unknown) => cause,
  );
  assert.instance(error, BadDataError, `not refused: ${JSON.stringify(options)}`);
  assert.match((error as Error).message, expected);
}

/** Type and bytes of every tensor of a GGUF file, by name. */
async function readTensors(path: string): Promise<Map<string, { type: string; bytes: Buffer }>> {
  const file = await openGgufFile(join(path, "model.gguf"));
  const tensors = file.tensors.map((entry) => {
    const bytes = Buffer.alloc(entry.end - entry.begin);
    file.readInto(entry, 0, bytes);
    return [entry.name, { type: entry.type.name, bytes }] as const;
  });
  file.close();
  return new Map(tensors);
}

const linear = "layers.0.mlp.up_proj.weight";
const types = ["F32", "F16", "BF16", "Q8_0", "Q5_0", "Q4_0", "Q4_K_M", "Q6_K", "Q3_K_M", "Q2_K", "IQ4_XS"];

for (const value of [NaN, Infinity, -Infinity]) {
  test(`${value} in the embedding, a norm or a weight is refused in every type of GGUF, and as ONNX`, async () => {
    for (const ending of ["embed_tokens.weight", "layers.0.input_layernorm.weight", linear]) {
      const { folder, tensor } = await withValue(ending, 130, value);
      const expected = new RegExp(`tensor ${tensor} has ${value} at index 130; .*--allow-nonfinite \\(see --help\\)$`);
      // the embedding comes first in the file; all that differs behind it is how long its encoding takes
      const own = ending === "embed_tokens.weight" ? types : ["Q8_0"];
      for (const type of own) await refused(folder, { format: "gguf", type }, expected);
      await refused(folder, { format: "onnx" }, expected);
    }
  });
}

test("what layers leave as it is is refused in every format of folders", async () => {
  for (const ending of ["model.norm.weight", "embed_tokens.weight"]) {
    const { folder, tensor } = await withValue(ending, 7, NaN);
    const expected = new RegExp(`tensor ${tensor} has NaN at index 7;`);
    for (const options of [{}, { dtype: "bf16" }, { format: "gptq" }, { format: "compressed-tensors" }, { format: "onnx" }]) {
      await refused(folder, { ...options, withLayers: true }, expected);
    }
  }
});

test("with --allow-nonfinite such a tensor keeps its bytes, blocks of others are what they were, and a line counts", async () => {
  const { folder, tensor } = await withValue(linear, 130, NaN);
  for (const type of ["Q6_K", "Q8_0"]) {
    const before = await readTensors((await write(sound, { format: "gguf", type })).folder);
    const { folder: written, warnings } = await write(folder, { format: "gguf", type, allowNonfinite: true });
    assert.ok(warnings.includes(`1 tensor has NaN or Inf, written as it is: ${tensor}`), warnings.join("\n"));
    for (const [name, { type: own, bytes }] of await readTensors(written)) {
      if (name !== "blk.0.ffn_up.weight") assert.ok(before.get(name)?.bytes.equals(bytes), `${type}: ${name} has other bytes`);
      else assert.is(own, "F16");
    }
  }
  const { warnings } = await write(folder, { format: "onnx", allowNonfinite: true });
  assert.ok(warnings.includes(`1 tensor has NaN or Inf, written as it is: ${tensor}`), warnings.join("\n"));
});

test("with --allow-nonfinite a norm with NaN is F32, as programs expect of vectors", async () => {
  const { folder } = await withValue("layers.0.input_layernorm.weight", 3, NaN);
  const { folder: written } = await write(folder, { format: "gguf", type: "Q8_0", allowNonfinite: true });
  const norm = (await readTensors(written)).get("blk.0.attn_norm.weight");
  assert.ok(norm);
  assert.is(norm.type, "F32");
  assert.ok(Number.isNaN(norm.bytes.readFloatLE(12)));
});

test("a number that half precision does not hold is refused for F16, with its tensor", async () => {
  const { folder: source } = await write(sound, { dtype: "f32", withLayers: true });
  const { folder, tensor } = await withValue(linear, 5, 1e5, source);
  await refused(
    folder,
    { format: "gguf", type: "F16" },
    new RegExp(`^tensor ${tensor}: values have 100000, which F16 does not hold`),
  );
  await write(folder, { format: "gguf", type: "BF16" });
});

test.run();
