import { roundTo } from "@mbs/numbers";
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

test.run();
