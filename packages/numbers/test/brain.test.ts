import { at } from "@mbs/contracts";
import { decodeBrain, encodeBrain } from "@mbs/numbers";
import { test } from "uvu";
import * as assert from "uvu/assert";

const all = Uint16Array.from({ length: 0x10000 }, (_, bits) => bits);

test("all 65536 patterns come back, NaNs as quiet NaNs", () => {
  const values = decodeBrain(all);
  const back = encodeBrain(values);
  for (const bits of all) {
    if (Number.isNaN(values[bits])) assert.ok((at(back, bits) & 0x7fff) > 0x7f80);
    else assert.is(back[bits], bits);
  }
});

test("to the nearest, ties to even, overflow to infinity", () => {
  const cases = Float32Array.of(1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -8 + 2 ** -20, -(1 + 2 ** -8), 3.4e38);
  assert.equal([...encodeBrain(cases)], [0x3f80, 0x3f82, 0x3f81, 0xbf80, 0x7f80]);
});

test.run();
