import { BadDataError } from "@mbs/contracts";
import { decodeWeights, encodeBrain, encodeHalf, roundTo } from "@mbs/numbers";
import { test } from "uvu";
import * as assert from "uvu/assert";

const values = Float32Array.of(0.1, -1.00048828125, 70000);

test("each dtype gives what its checkpoint would give back, in a new array", () => {
  assert.equal([...roundTo("f16", values)], [0.0999755859375, -1, Infinity]);
  assert.equal([...roundTo("bf16", values)], [0.10009765625, -1, 70144]);
  assert.equal(roundTo("f32", values), values);
  assert.is.not(roundTo("f32", values), values);
});

test("rounding twice changes nothing more", () => {
  for (const dtype of ["f16", "bf16"] as const) {
    const once = roundTo(dtype, values);
    assert.equal(roundTo(dtype, once), once);
  }
});

function atOddOffset({ buffer, byteLength }: ArrayBufferView): Uint8Array {
  const whole = new Uint8Array(byteLength + 1);
  whole.set(new Uint8Array(buffer, 0, byteLength), 1);
  return whole.subarray(1);
}

test("stored weights come back from bytes at an odd offset", () => {
  const stored = { f32: values, f16: encodeHalf(values), bf16: encodeBrain(values) };
  for (const dtype of ["f32", "f16", "bf16"] as const) {
    assert.equal(decodeWeights(dtype, atOddOffset(stored[dtype]), "w"), roundTo(dtype, values));
  }
  assert.throws(
    () => decodeWeights("u8", new Uint8Array(3), "layer w"),
    (error: unknown) => error instanceof BadDataError && /layer w: values of dtype u8/.test(error.message),
  );
});

test.run();
