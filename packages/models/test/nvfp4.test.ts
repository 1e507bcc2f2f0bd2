import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BadDataError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { createCheckpoint } from "../src/checkpoint/checkpoint.ts";
import type { Checkpoint, TensorInfo } from "../src/checkpoint/checkpoint.ts";
import { nvfp4Linear } from "../src/checkpoint/quantised/quantised-linear.ts";
import { writeSafetensors } from "../src/checkpoint/safetensors-writer.ts";
import { openSafetensors } from "../src/checkpoint/weight-files.ts";

interface Golden {
  readonly rows: number;
  readonly groups: number;
  readonly packed: string;
  readonly scales: string;
  readonly global: number;
  readonly values: string;
}

const golden = JSON.parse(await readFile(new URL("./fixtures/nvfp4.json", import.meta.url), "utf8")) as Golden;
const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "base64"));
const root = await mkdtemp(join(tmpdir(), "nvfp4-test-"));
test.after(() => rm(root, { recursive: true }));
let count = 0;

interface Stored {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

const { rows, groups } = golden;
const float = (value: number): Stored => ({ dtype: "F32", shape: [1], bytes: new Uint8Array(Float32Array.of(value).buffer) });
const scales = bytesOf(golden.scales);
const packed = { dtype: "U8", shape: [rows, groups * 8], bytes: bytesOf(golden.packed) };
const scale = { dtype: "F8_E4M3", shape: [rows, groups], bytes: scales };

async function read(
  changes: Readonly<Record<string, Stored>>,
  allowNonfinite = false,
): Promise<{ values: Float32Array; checkpoint: Checkpoint }> {
  const all = { weight_packed: packed, weight_scale: scale, weight_global_scale: float(golden.global), ...changes };
  const stored = new Map(
    Object.entries<Stored>(all).map(([name, { dtype, shape, bytes }]): [TensorInfo, Uint8Array] => [
      { name: `m.${name}`, storedDtype: dtype, dtype: undefined, shape, bytes: bytes.length, file: "" },
      bytes,
    ]),
  );
  const path = join(root, `${count++}.safetensors`);
  await writeFile(
    path,
    writeSafetensors([...stored.keys()], {}, (info) => [stored.get(info) ?? new Uint8Array(0)]),
  );
  const checkpoint = createCheckpoint([await openSafetensors(path)], { allowNonfinite });
  try {
    return { values: await nvfp4Linear(checkpoint, "m").values(), checkpoint };
  } finally {
    checkpoint.close();
  }
}

test("values are those of compressed-tensors, with every scale and a global scale that is no power of two", async () => {
  const { values } = await read({});
  const expected = new Float32Array(bytesOf(golden.values).buffer);
  assert.is(values.length, rows * groups * 16);
  const wrong = values.findIndex((value, index) => !Object.is(value, expected[index]));
  assert.is(wrong, -1, `value ${wrong} is ${values[wrong]}, not ${expected[wrong]}`);
});

test("a scale that is no number is refused by its place, or counts as 0 where that was asked for", async () => {
  const broken = scales.slice();
  broken[130] = 0xff;
  const changes = { weight_scale: { ...scale, bytes: broken } };
  const error = await read(changes).catch((thrown: unknown) => thrown);
  assert.instance(error, BadDataError);
  assert.match(String(error), /m\.weight_scale has NaN at index 130/);
  const { values, checkpoint } = await read(changes, true);
  assert.ok(values.subarray(130 * 16, 131 * 16).every((value) => value === 0));
  assert.ok(values.some((value) => value !== 0) && checkpoint.nonfinite.has("m.weight_scale"));
});

test("tensors of another shape or dtype, and a global scale that is not above zero, are refused by name", async () => {
  for (const [changes, said] of [
    [{ weight_scale: { ...scale, dtype: "U8" } }, /m\.weight_scale is U8, not F8_E4M3; is it packed by another program/],
    [{ weight_scale: { ...scale, shape: [groups, rows] } }, /m\.weight_scale has shape \[127, 2\] where .* \[2, 127\]/],
    [{ weight_packed: { ...packed, dtype: "I8" } }, /m\.weight_packed is I8, not U8/],
    [{ weight_global_scale: { dtype: "BF16", shape: [1], bytes: new Uint8Array(2) } }, /global_scale is BF16, not F32/],
    [{ weight_global_scale: float(0) }, /m\.weight_global_scale is 0, not above zero; download the model again/],
    [{ weight_global_scale: float(-1) }, /m\.weight_global_scale is -1, not above zero/],
  ] as const) {
    const error = await read(changes).catch((thrown: unknown) => thrown);
    assert.instance(error, BadDataError, String(said));
    assert.match(String(error), said);
  }
});

test.run();
