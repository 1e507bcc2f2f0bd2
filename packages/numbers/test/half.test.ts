import { at } from "@mbs/contracts";
import { decodeHalf, encodeHalf } from "@mbs/numbers";
import { test } from "uvu";
import * as assert from "uvu/assert";

const all = Uint16Array.from({ length: 0x10000 }, (_, bits) => bits);
const isNotANumber = (bits: number): boolean => (bits & 0x7c00) === 0x7c00 && (bits & 0x3ff) !== 0;

test("values by the definition of binary16", () => {
  const known: [bits: number, value: number][] = [
    [0x0000, 0],
    [0x3c00, 1],
    [0xc000, -2],
    [0x7bff, 65504],
    [0x0400, 2 ** -14],
    [0x0001, 2 ** -24],
    [0x03ff, 1023 * 2 ** -24],
    [0x3555, 0.333251953125],
    [0x7c00, Infinity],
    [0xfc00, -Infinity],
  ];
  for (const [bits, value] of known) {
    assert.is(decodeHalf(Uint16Array.of(bits))[0], value);
    assert.is(encodeHalf(Float32Array.of(value))[0], bits);
  }
  assert.ok(Object.is(decodeHalf(Uint16Array.of(0x8000))[0], -0));
  assert.is(encodeHalf(Float32Array.of(-0))[0], 0x8000);
});

test("all 65536 patterns come back, NaNs as quiet NaNs", () => {
  const values = decodeHalf(all);
  const back = encodeHalf(values);
  for (const bits of all) {
    if (isNotANumber(bits)) assert.ok(Number.isNaN(values[bits]) && isNotANumber(at(back, bits)));
    else assert.is(back[bits], bits);
  }
});

test("between every two neighbours: to the nearest, the middle to the even one", () => {
  const values = decodeHalf(all);
  const wrong: number[] = [];
  for (let bits = 0; bits < 0x7bff; bits += 1) {
    const middle = (at(values, bits) + at(values, bits + 1)) / 2;
    const even = bits % 2 === 0 ? bits : bits + 1;
    const quarter = (at(values, bits) + middle) / 2;
    const found = encodeHalf(Float32Array.of(middle, quarter, -middle, middle + (middle - quarter)));
    if (found.join() !== [even, bits, even | 0x8000, bits + 1].join()) wrong.push(bits);
  }
  assert.equal(wrong, []);
});

test("overflow: what lies beyond the last half rounds to infinity from 65520 on", () => {
  assert.equal([...encodeHalf(Float32Array.of(65519.996, 65520, 1e30, -65520))], [0x7bff, 0x7c00, 0x7c00, 0xfc00]);
});

test("underflow: half of the smallest rounds to zero, more rounds up", () => {
  assert.equal([...encodeHalf(Float32Array.of(2 ** -25, 2 ** -25 * 1.001, -(2 ** -25), 1e-40))], [0, 1, 0x8000, 0]);
});

test.run();
