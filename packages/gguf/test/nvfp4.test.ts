import { readFile } from "node:fs/promises";
import { at } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { blockGrids, encodeValues, ggufGrids, quantisationTypeNamed, quantisationTypes, readableTypes } from "../src/index.ts";

interface Golden {
  readonly blocks: string;
  readonly values: string;
  readonly rounding: { readonly values: string; readonly rounded: string };
}

const golden = JSON.parse(await readFile(new URL("./fixtures/nvfp4.json", import.meta.url), "utf8")) as Golden;
const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "base64"));
const floatsOf = (text: string): Float32Array => new Float32Array(bytesOf(text).buffer);
const type = quantisationTypeNamed("NVFP4");

function decoded(bytes: Uint8Array): Float32Array {
  const values = new Float32Array((bytes.length / type.bytes) * type.values);
  type.decode?.(bytes, values);
  return values;
}

test("blocks stand for what compressed-tensors reads in their codes, times their scale", () => {
  assert.equal(decoded(bytesOf(golden.blocks)), floatsOf(golden.values));
});

test("it is no type of a GGUF file, and ggml's type of that name is not read", () => {
  assert.is(type.number, undefined);
  assert.ok(blockGrids.has("NVFP4"));
  assert.not(ggufGrids.includes("NVFP4"));
  assert.is(ggufGrids.length, blockGrids.size - 1);
  const inFiles = quantisationTypes.get(40);
  assert.equal([inFiles?.name, inFiles?.values, inFiles?.decode], ["NVFP4", 64, undefined]);
  assert.not(readableTypes.includes("NVFP4"));
});

/** Σ weight · error² of each block. */
function losses(values: Float32Array, rounded: Float32Array, weightOf: (index: number) => number): Float64Array {
  const sums = new Float64Array(values.length / type.values);
  for (const [index, value] of values.entries()) {
    const block = Math.floor(index / type.values);
    sums[block] = at(sums, block) + weightOf(index) * (at(rounded, index) - value) ** 2;
  }
  return sums;
}

const values = floatsOf(golden.rounding.values);
const librarys = floatsOf(golden.rounding.rounded);

test("no block errs more than with the scale that the library takes, and many err less", () => {
  const found = losses(values, decoded(encodeValues(type, values)), () => 1);
  const expected = losses(values, librarys, () => 1);
  for (const [block, loss] of found.entries()) assert.ok(loss <= at(expected, block) * (1 + 1e-6), `block ${block}`);
  const ratio = found.reduce((sum, own) => sum + own, 0) / expected.reduce((sum, own) => sum + own, 0);
  assert.ok(ratio < 0.9, `${ratio} of the library's error`);
});

test("with an importance, what counts more errs less", () => {
  const columns = 64;
  const importance = Float32Array.from({ length: columns }, (_, column) => (column % 4 === 0 ? 100 : 1));
  const weightOf = (index: number): number => at(importance, index % columns);
  const rows = Array.from({ length: values.length / columns }, (_, row) =>
    encodeValues(type, values.subarray(row * columns, (row + 1) * columns), importance),
  );
  const weighed = losses(values, decoded(Buffer.concat(rows)), weightOf);
  const plain = losses(values, decoded(encodeValues(type, values)), weightOf);
  for (const [block, loss] of weighed.entries()) assert.ok(loss <= at(plain, block) * (1 + 1e-6), `block ${block}`);
  assert.ok(weighed.some((loss, block) => loss < 0.9 * at(plain, block)));
});

test("what compressed-tensors has rounded is left as it is", () => {
  assert.equal(decoded(encodeValues(type, librarys)), librarys);
});

test.run();
