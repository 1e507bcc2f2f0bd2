import { test } from "uvu";
import * as assert from "uvu/assert";
import { unpackNumbers, unpackValues } from "../src/checkpoint/quantised/packed-values.ts";

/** Packs numbers bit by bit. */
function pack(lists: readonly (readonly number[])[], bits: number, stride: number, block: number, words: number): Int32Array {
  const packed = new Int32Array(words);
  for (const [list, numbers] of lists.entries()) {
    for (const [index, number] of numbers.entries()) {
      for (let bit = 0; bit < bits; bit++) {
        const at = index * bits + bit;
        const word = list * stride + (at >> 5) * block;
        packed[word] = (packed[word] ?? 0) | (((number >> bit) & 1) << (at & 31));
      }
    }
  }
  return packed;
}

test("numbers of 1 to 8 bits are read as they were packed, across words and down columns", () => {
  for (let bits = 1; bits <= 8; bits++) {
    const lists = Array.from({ length: 5 }, (_, list) =>
      Array.from({ length: 64 }, (_value, index) => (list * 131 + index * 77) % 2 ** bits),
    );
    const wordsAList = 2 * bits;
    for (const [stride, block] of [
      [wordsAList, 1],
      [1, 5],
    ] as const) {
      const words = pack(lists, bits, stride, block, 5 * wordsAList);
      const numbers = unpackNumbers({ words, bits, lists: 5, length: 64, stride, block });
      assert.equal([...numbers], lists.flat(), `${bits} bits, block ${block}`);
    }
  }
});

test("values are rounded once, from the codes of each column's group", () => {
  const weight = {
    rows: 2,
    columns: 3,
    bits: 4,
    codes: Uint8Array.of(0, 15, 7, 8, 1, 2),
    groups: Int32Array.of(1, 0, 1),
    zeros: Int16Array.of(8, 16, 7, 0),
    scales: Float32Array.of(0.1, 0.2, 0.3, 0.4),
  };
  const scales = [0.3, 0.1, 0.3, 0.4, 0.2, 0.4].map(Math.fround);
  assert.equal(
    [...unpackValues(weight)],
    [-7, 7, 0, 8, -15, 2].map((blocks, index) => Math.fround(blocks * (scales[index] ?? 0))),
  );
});

test.run();
