import { InternalError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { WeightFiles } from "../src/onnx/weights/weight-files.ts";
import type { Chunks, StoredTensor } from "../src/onnx/weights/weight-files.ts";

const tensor = (bytes: number): StoredTensor => ({ type: "uint8", dims: [bytes], bytes });
const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);

async function read(files: WeightFiles, name: string): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of files.write(name)) pieces.push(piece);
  return Buffer.concat(pieces);
}

test("tensors begin at pages, those of one reservation follow each other, and what fits no more opens a new file", async () => {
  const files = new WeightFiles("m.onnx", 12_000);
  const first = files.reserve([tensor(10), tensor(3)], () => [filled(4, 1), filled(6, 1), filled(3, 2)]);
  const second = files.reserve([tensor(20_000)], () => [filled(20_000, 3)]);
  const third = files.reserve([tensor(5)], () => [filled(5, 4)]);
  assert.equal(
    [...first, ...second, ...third].map(({ location, offset, length }) => [location, offset, length]),
    [
      ["m.onnx_data", 0, 10],
      ["m.onnx_data", 4096, 3],
      ["m.onnx_data_1", 0, 20_000],
      ["m.onnx_data_2", 0, 5],
    ],
  );
  assert.equal(files.names, ["m.onnx_data", "m.onnx_data_1", "m.onnx_data_2"]);
  assert.is(files.bytes, 4099 + 20_000 + 5);
  const bytes = await read(files, "m.onnx_data");
  assert.equal(bytes, Buffer.concat([filled(10, 1), filled(4086, 0), filled(3, 2)]));
  assert.is((await read(files, "m.onnx_data_1")).length, 20_000);
  assert.equal(await read(files, "m.onnx_data_2"), Buffer.from(filled(5, 4)));
});

test("more or fewer bytes than were reserved are noticed", async () => {
  for (const make of [
    () => [filled(9, 0)],
    () => [filled(5, 0), filled(4, 0)],
    () => [filled(7, 0)],
    () => [],
  ] satisfies (() => Chunks)[]) {
    const files = new WeightFiles("m.onnx");
    files.reserve([tensor(8)], make);
    try {
      await read(files, "m.onnx_data");
      assert.unreachable();
    } catch (error) {
      assert.instance(error, InternalError);
    }
  }
});

test.run();
