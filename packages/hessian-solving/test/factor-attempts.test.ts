import { at } from "@mbs/contracts";
import { factoriseWithRetries } from "@mbs/hessian-solving";
import { findDead, packedDiagonal, packedLength, packedRowStart, parseOrder, unpackUpper } from "@mbs/numbers";
import { createBlas, createDoubleBlas } from "@mbs/onnx";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { gramOf, randomStates, worst } from "./statistics-fixture.ts";

const engines = { single: createBlas({ threads: 1 }), double: createDoubleBlas({ threads: 1 }) };
const width = 90;
// sums of 90 terms, made wrong by 90 · 2⁻²⁴ at worst and that times the condition number of H, about 20
const rounding = 1e-4;

function inputOf(gram: Float32Array, size: number, damping: number, order = "natural") {
  const diagonal = packedDiagonal(gram, size);
  return { gram, damping, raises: 3, living: findDead(diagonal), order: parseOrder(order).arrange(diagonal) };
}

/** UᵀU·H - I for the ordered, damped H; largest entry. */
function residual(upper: Float32Array, gram: Float32Array, order: Int32Array, damping: number): number {
  const size = order.length;
  const { dead, mean } = findDead(packedDiagonal(gram, size));
  const whole = unpackUpper(gram, size, "mirror");
  const H = Float64Array.from({ length: size * size }, (_, index) => {
    const [row, column] = [at(order, Math.floor(index / size)), at(order, index % size)];
    const own = row === column ? damping * mean + (dead.includes(row) ? mean : 0) : 0;
    return at(whole, row * size + column) + own;
  });
  const multiply = (left: ArrayLike<number>, right: ArrayLike<number>, transpose: boolean): Float64Array =>
    Float64Array.from({ length: size * size }, (_, index) => {
      const [row, column] = [Math.floor(index / size), index % size];
      let sum = 0;
      for (let k = 0; k < size; k += 1)
        sum += at(left, transpose ? k * size + row : row * size + k) * at(right, k * size + column);
      return sum;
    });
  const identity = multiply(upper, multiply(upper, H, false), true);
  return worst(
    identity,
    identity.map((_, index) => Number(index % (size + 1) === 0)),
  );
}

const gram = gramOf(randomStates(3 * width, width, 4, [5, 41]), width);

for (const order of ["natural", "activation", "group-aware:16"]) {
  test(`${order}: UᵀU is the inverse of the ordered, damped H, dead columns included, without a retry`, async () => {
    const input = inputOf(gram, width, 0.01, order);
    const { upper, ...result } = await factoriseWithRetries(input, engines);
    assert.equal(result, { damping: 0.01, precision: "float32", retries: 0 });
    if (!upper) throw new Error("no factor");
    assert.ok(residual(upper, gram, input.order, 0.01) < rounding);
    for (let row = 1; row < width; row += 1) {
      assert.ok(upper.subarray(row * width, row * width + row).every((value) => value === 0));
    }
  });
}

test("towards no damping the factor goes to the undamped one", async () => {
  const none = await factoriseWithRetries(inputOf(gram, width, 0), engines);
  const distance = async (damping: number): Promise<number> => {
    const { upper } = await factoriseWithRetries(inputOf(gram, width, damping), engines);
    return worst(upper ?? [NaN], none.upper ?? []);
  };
  assert.is(none.retries, 0);
  const [far, near] = [await distance(1e-2), await distance(1e-4)];
  assert.ok(near < far / 50, `${near} against ${far}`);
});

test("the factor does not depend on how columns are numbered", async () => {
  const input = inputOf(gram, width, 0.01, "activation");
  const { upper } = await factoriseWithRetries(input, engines);
  const whole = unpackUpper(gram, width, "mirror");
  const moved = new Float32Array(packedLength(width));
  for (let row = 0; row < width; row += 1) {
    for (let column = row; column < width; column += 1) {
      moved[packedRowStart(width, row) + column - row] = at(whole, at(input.order, row) * width + at(input.order, column));
    }
  }
  const again = await factoriseWithRetries(inputOf(moved, width, 0.01), engines);
  assert.ok(worst(again.upper ?? [NaN], upper ?? []) < rounding);
});

test("float64 factorises what float32 cannot factorise, and is counted", async () => {
  // pairs of columns with h² = v - 1: the pivot left is 1 - h²/v ≈ 6e-8, and h/√v comes to 1 in float32
  const size = 128;
  const half = size / 2;
  const height = 4002;
  const v = height ** 2 + 1;
  const twins = new Float32Array(packedLength(size));
  for (let row = 0; row < half; row += 1) {
    twins[packedRowStart(size, row)] = 1;
    twins[packedRowStart(size, row) + half] = height;
    twins[packedRowStart(size, row + half)] = v;
  }
  const { upper, ...result } = await factoriseWithRetries(inputOf(twins, size, 0), engines);
  assert.equal(result, { retries: 1, precision: "float64", damping: 0 });
  const pivot = Math.sqrt(1 / (1 - height ** 2 / v));
  // rounded from float64 to float32; the pivot is what 24 of 53 bits leave, so within 2⁻²⁹ before
  for (let row = 0; row < half; row += 1) assert.ok(Math.abs((upper?.[row * (size + 1)] ?? NaN) / pivot - 1) < 1e-5);
});

test("a singular H gets more damping, each settings counted; without damping it begins at 1e-4", async () => {
  // rank 1, with a negative direction of 0.05 that damping has to cover
  const size = 3;
  const singular = Float32Array.of(1, 1.05, 0, 1, 0, 1);
  const raised = await factoriseWithRetries(inputOf(singular, size, 0.01), engines);
  assert.equal([raised.retries, raised.precision, raised.damping], [2, "float64", 0.1]);
  const fromNone = await factoriseWithRetries(inputOf(singular, size, 0), engines);
  assert.equal([fromNone.retries, fromNone.upper], [4, undefined]);
  assert.is(fromNone.damping, 1e-2);
});

test("when no settings holds the last failure names the column", async () => {
  const hopeless = Float32Array.of(1, 50, 0, 1, 0, 1);
  const result = await factoriseWithRetries({ ...inputOf(hopeless, 3, 0.01), raises: 2 }, engines);
  assert.equal([result.retries, result.upper, result.damping], [3, undefined, 1]);
  assert.is(result.failure?.pivot, 0);
  // columns 1 and 2 have no common factor; ordered by size, column 2 is the first and 1 the second
  const mirrored = Float32Array.of(1, 0, 0, 2, 50, 3);
  const ordered = await factoriseWithRetries({ ...inputOf(mirrored, 3, 0.01, "activation"), raises: 2 }, engines);
  assert.is(ordered.failure?.pivot, 2);
  assert.match(String(ordered.failure?.message), /at column 2/);
});

test("an all-zero statistic factorises to the identity, up to damping", async () => {
  const zeros = new Float32Array(packedLength(4));
  const { upper, retries } = await factoriseWithRetries(inputOf(zeros, 4, 0), engines);
  assert.is(retries, 0);
  assert.equal([...(upper ?? [])], [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]);
});

test.after(async () => {
  await engines.single.release();
  await engines.double.release();
});

test.run();
