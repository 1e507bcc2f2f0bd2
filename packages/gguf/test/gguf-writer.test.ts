import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { InternalError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ggufBytes, writeGguf } from "../src/index.ts";
import type { GgufField, GgufWrittenTensor } from "../src/index.ts";

const golden = (name: string): Promise<Buffer> => readFile(fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url)));

async function written(
  metadata: ReadonlyMap<string, GgufField>,
  tensors: readonly (readonly [name: string, shape: readonly number[], values: readonly number[]])[] = [],
): Promise<Buffer> {
  const contents = new Map(tensors.map(([name, , values]) => [name, new Uint8Array(Float32Array.from(values).buffer)]));
  const infos = tensors.map(([name, shape, values]): GgufWrittenTensor => ({ name, type: 0, shape, bytes: 4 * values.length }));
  const pieces: Uint8Array[] = [];
  for await (const piece of writeGguf(metadata, infos, ({ name }) => [contents.get(name) ?? new Uint8Array()])) {
    pieces.push(piece);
  }
  const file = Buffer.concat(pieces);
  assert.is(ggufBytes(metadata, infos), file.length);
  return file;
}

const counting = (length: number, change: (value: number) => number): number[] =>
  Array.from({ length }, (_, index) => change(index));

test("writes the bytes that the gguf package writes", async () => {
  const made = await written(
    new Map<string, GgufField>([
      ["general.type", { type: "string", value: "imatrix" }],
      ["imatrix.datasets", { type: "array", of: "string", value: ["en=0.75", "hi=0.25"] }],
      ["imatrix.chunk_count", { type: "u32", value: 3 }],
      ["imatrix.chunk_size", { type: "u32", value: 512 }],
    ]),
    [
      ["blk.0.attn_q.weight.in_sum2", [1, 5], counting(5, (value) => value / 3)],
      ["blk.0.attn_q.weight.counts", [1, 1], [1536]],
      ["blk.0.ffn_up_exps.weight.in_sum2", [2, 5], counting(10, (value) => value * 7)],
      ["blk.0.ffn_up_exps.weight.counts", [2, 1], [1536, 0]],
    ],
  );
  assert.equal(made, await golden("imatrix.gguf"));
});

test("writes metadata of every type as the gguf package does", async () => {
  const made = await written(
    new Map<string, GgufField>([
      ["u8", { type: "u8", value: 255 }],
      ["i8", { type: "i8", value: -128 }],
      ["u16", { type: "u16", value: 65535 }],
      ["i16", { type: "i16", value: -32768 }],
      ["u32", { type: "u32", value: 4294967295 }],
      ["i32", { type: "i32", value: -2147483648 }],
      ["f32", { type: "f32", value: 0.1 }],
      ["f64", { type: "f64", value: 0.1 }],
      ["u64", { type: "u64", value: 2n ** 64n - 1n }],
      ["i64", { type: "i64", value: -(2n ** 63n) }],
      ["bool", { type: "bool", value: true }],
      ["string", { type: "string", value: "naïve हिन्दी" }],
      ["strings", { type: "array", of: "string", value: ["", "日本"] }],
      ["bools", { type: "array", of: "bool", value: [true, false] }],
      ["i32s", { type: "array", of: "i32", value: [-1, 2, 3] }],
      ["f32s", { type: "array", of: "f32", value: [0.5, -0.1] }],
    ]),
  );
  assert.equal(made, await golden("types.gguf"));
});

test("refuses two tensors of one name, and content of another size than announced", async () => {
  const tensor: GgufWrittenTensor = { name: "a", type: 0, shape: [2], bytes: 8 };
  for (const [tensors, reason] of [
    [[tensor, tensor], /two tensors have one name/],
    [[tensor], /a has 4 bytes, not the announced 8/],
  ] as const) {
    try {
      for await (const _ of writeGguf(new Map(), tensors, () => [new Uint8Array(4)])) continue;
      assert.unreachable();
    } catch (error) {
      assert.instance(error, InternalError);
      assert.match(String(error), reason);
    }
  }
});

test.run();
