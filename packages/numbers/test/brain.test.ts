import { at } from "@mbs/contracts";
import { decodeBrain, encodeBrain, roundTo } from "@mbs/numbers";
import { test } from "uvu";
import * as assert from "uvu/assert";

const bits = (values: Float32Array): Uint32Array => new Uint32Array(values.buffer);

const all = Uint16Array.from({ length: 0x10000 }, (_, pattern) => pattern);

test("all 65536 patterns come back, NaNs as quiet NaNs", () => {
  const values = decodeBrain(all);
  const back = encodeBrain(values);
  for (const pattern of all) {
    if (Number.isNaN(values[pattern])) assert.ok((at(back, pattern) & 0x7fff) > 0x7f80);
    else assert.is(back[pattern], pattern);
  }
});

test("to the nearest, ties to even, overflow to infinity", () => {
  const cases = Float32Array.of(1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -8 + 2 ** -20, -(1 + 2 ** -8), 3.4e38);
  assert.equal([...encodeBrain(cases)], [0x3f80, 0x3f82, 0x3f81, 0xbf80, 0x7f80]);
});

test("rounding in one pass gives what encoding and decoding give, to the bit", () => {
  const words = Uint32Array.from({ length: 0x40000 }, (_, index) => Math.imul(index, 0x4001_3579) >>> 0);
  const values = new Float32Array(words.buffer);
  assert.equal(bits(roundTo("bf16", values)), bits(decodeBrain(encodeBrain(values))));
});

test.run();
