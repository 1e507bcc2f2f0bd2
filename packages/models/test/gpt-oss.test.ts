import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { at, BadDataError, FailedPreconditionError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { unweave, weave } from "../src/checkpoint/woven-tensors.ts";
import { openModel, requireDense, storedPieces, writeSafetensors } from "../src/index.ts";
import type { Model } from "../src/index.ts";
import { createCheckpoint } from "../src/checkpoint/checkpoint.ts";
import type { TensorInfo } from "../src/checkpoint/checkpoint.ts";
import { openWeightFiles } from "../src/checkpoint/weight-files.ts";
import type { JsonObject } from "../src/folder/json-file.ts";

const fixture = (name: string): string => fileURLToPath(new URL(`fixtures/forward/${name}`, import.meta.url));
const root = await mkdtemp(join(tmpdir(), "gpt-oss-test-"));
test.after(() => rm(root, { recursive: true }));

/** The tensors of a folder as its file has them. */
const storedOf = async (folder: string) => createCheckpoint(await openWeightFiles(folder), { allowNonfinite: false });

async function bytesOf(model: Model, name: string): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of storedPieces(model, model.checkpoint.info(name))) pieces.push(piece);
  return Buffer.concat(pieces);
}

test("parts that take turns come apart, and together again, to the bit", () => {
  // [2 columns, 2 parts of 3 rows]: a row of one part, a row of the other
  const group = { woven: 2, rows: 3, columns: 2, width: 2 };
  const bytes = new Uint8Array(Uint16Array.of(0, 100, 10, 110, 20, 120, 1, 101, 11, 111, 21, 121).buffer);
  const parts = unweave(bytes, group);
  assert.equal(
    parts.map((part) => [...new Uint16Array(part.buffer)]),
    [
      [0, 1, 10, 11, 20, 21],
      [100, 101, 110, 111, 120, 121],
    ],
  );
  assert.equal(weave(parts, group), bytes);
  const vector = { woven: 2, rows: 2, columns: 1, width: 4 };
  const values = new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer);
  assert.equal(
    unweave(values, vector).map((part) => [...new Float32Array(part.buffer)]),
    [
      [1, 3],
      [2, 4],
    ],
  );
  assert.equal(weave(unweave(values, vector), vector), values);
});

test("experts of one tensor are read as matrices [out, in] with their biases, gate and up apart", async () => {
  const folder = fixture("gpt-oss-windows-f32");
  const [model, stored] = [await openModel(folder), await storedOf(folder)];
  const block = "model.layers.2.mlp.experts";
  const [hidden, inner] = [16, 24];
  const [joined, biases] = [await stored.readF32(`${block}.gate_up_proj`), await stored.readF32(`${block}.gate_up_proj_bias`)];
  const down = await stored.readF32(`${block}.down_proj`);
  for (const [part, layer] of ["gate_proj", "up_proj"].entries()) {
    const weight = await model.readWeight(`${block}.3.${layer}.weight`);
    const bias = await model.readWeight(`${block}.3.${layer}.bias`);
    assert.equal(model.checkpoint.info(`${block}.3.${layer}.weight`).shape, [inner, hidden]);
    for (let row = 0; row < inner; row += 1) {
      assert.is(at(bias, row), at(biases, 3 * 2 * inner + 2 * row + part));
      for (let column = 0; column < hidden; column += 1) {
        assert.is(at(weight, row * hidden + column), at(joined, (3 * hidden + column) * 2 * inner + 2 * row + part));
      }
    }
  }
  const weight = await model.readWeight(`${block}.4.down_proj.weight`);
  assert.equal(model.checkpoint.info(`${block}.4.down_proj.weight`).shape, [hidden, inner]);
  for (let row = 0; row < hidden; row += 1) {
    for (let column = 0; column < inner; column += 1) {
      assert.is(at(weight, row * inner + column), at(down, (4 * inner + column) * hidden + row));
    }
  }
  stored.close();
  await model.close();
});

test("MXFP4 experts have the values that transformers reads, however they are read", async () => {
  const folder = fixture("gpt-oss-mxfp4-bf16");
  const { dequantised } = JSON.parse(await readFile(join(folder, "golden.json"), "utf8")) as {
    dequantised: Record<string, number[][]>;
  };
  assert.is(Object.keys(dequantised).length, 4);
  const model = await openModel(folder);
  await requireDense(model);
  assert.is(model.dtype, "bf16");
  assert.not.ok(model.checkpoint.list().some(({ name }) => /_(blocks|scales)$/.test(name)));
  for (const [name, columns] of Object.entries(dequantised)) {
    const prefix = name.replace(/[^.]*$/, "1.");
    const layers = name.endsWith("down_proj") ? ["down_proj"] : ["gate_proj", "up_proj"];
    for (const [part, layer] of layers.entries()) {
      const tensor = `${prefix}${layer}.weight`;
      const values = await model.readWeight(tensor);
      const { shape, bytes } = model.checkpoint.info(tensor);
      const [rows = 0, width = 0] = shape;
      for (const [column, expected] of columns.entries()) {
        const found = Array.from({ length: rows }, (_, row) => at(values, row * width + column));
        assert.equal(
          found.map((value) => value + 0),
          expected.filter((_, index) => index % layers.length === part).map((value) => value + 0),
          `${tensor}, column ${column}`,
        );
      }
      const stored = await bytesOf(model, tensor);
      assert.is(stored.length, bytes);
      const brain = new Uint16Array(stored.buffer, stored.byteOffset, rows * width);
      assert.equal(
        Float32Array.from(brain, (bits) => new Float32Array(Uint32Array.of(bits << 16).buffer)[0] ?? NaN),
        values,
      );
    }
  }
  await model.close();
});

const same = (_: string, bytes: Uint8Array): Uint8Array => bytes;

/** A copy of the MXFP4 fixture with other tensors and another configuration. */
async function changed(
  name: string,
  edit: (tensor: string, bytes: Uint8Array) => Uint8Array,
  configured: (config: JsonObject) => JsonObject = (config) => config,
): Promise<string> {
  const [source, folder] = [fixture("gpt-oss-mxfp4-bf16"), join(root, name)];
  await cp(source, folder, { recursive: true });
  const stored = await storedOf(source);
  const contents = new Map<TensorInfo, Uint8Array>();
  for (const info of stored.list()) {
    const bytes = edit(info.name, await stored.readRaw(info.name));
    const shape = bytes.length === info.bytes ? info.shape : [bytes.length];
    contents.set({ ...info, shape, bytes: bytes.length }, bytes);
  }
  stored.close();
  const written = writeSafetensors([...contents.keys()], { format: "pt" }, (info) => [contents.get(info) ?? new Uint8Array(0)]);
  await writeFile(join(folder, "model.safetensors"), written);
  const config = JSON.parse(await readFile(join(folder, "config.json"), "utf8")) as JsonObject;
  await writeFile(join(folder, "config.json"), JSON.stringify(configured(config)));
  return folder;
}

const refused = (promise: Promise<unknown>, kind: new (...given: never[]) => Error, said: RegExp): Promise<void> =>
  promise.then(
    () => assert.unreachable(String(said)),
    (error: Error) => {
      assert.instance(error, kind);
      assert.match(error.message, said);
      assert.not.match(error.message, "\n");
    },
  );

test("MXFP4 experts of another shape, of broken scales or without their method are refused in one line", async () => {
  const scales = "model.layers.1.mlp.experts.down_proj_scales";
  const short = await changed("short", (name, bytes) => (name === scales ? bytes.slice(1) : bytes));
  await refused(openModel(short), BadDataError, /down_proj_scales has shape \[191\] where its layer asks for \[3, 32, 2\]/);
  const broken = await changed("broken", (name, bytes) => {
    if (name === scales) bytes[67] = 255;
    return bytes;
  });
  const model = await openModel(broken);
  await model.readWeight("model.layers.1.mlp.experts.0.down_proj.weight");
  await refused(
    model.readWeight("model.layers.1.mlp.experts.1.down_proj.weight"),
    BadDataError,
    /down_proj_scales has NaN at index 67/,
  );
  await model.close();
  const unnamed = await changed("unnamed", same, (config) => ({ ...config, quantization_config: null }));
  await refused(openModel(unnamed), BadDataError, /the tensors do not fit config\.json: .*is missing/);
  const other = await changed("other", same, (config) => ({ ...config, quantization_config: { quant_method: "fp8" } }));
  await refused(openModel(other), FailedPreconditionError, /quantization_config is of fp8.*supported: .*mxfp4 of gpt-oss/);
});

test.run();
