import { damp, findDead } from "@mbs/numbers";
import { test } from "uvu";
import * as assert from "uvu/assert";

test("dead columns get the mean of the living ones, and the damping that all get", () => {
  const living = findDead(Float32Array.of(1, 0, 3));
  assert.equal(living, { dead: [1], mean: 2 });
  const hessian = Float64Array.of(1, 0, 0.5, 0, 0, 0, 0.5, 0, 3);
  damp(hessian, 3, living, 0.5);
  assert.equal([...hessian], [2, 0, 0.5, 0, 3, 0, 0.5, 0, 4]);
});

test("where all columns are dead the mean is 1", () => {
  const living = findDead(new Float32Array(2));
  assert.equal(living, { dead: [0, 1], mean: 1 });
  const hessian = new Float32Array(4);
  damp(hessian, 2, living, 0);
  assert.equal([...hessian], [1, 0, 0, 1]);
});

test.run();
