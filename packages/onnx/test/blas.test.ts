import { at, createObjectPool, InternalError } from "@mbs/contracts";
import type { Blas, GemmOptions, Matrix, Real } from "@mbs/contracts";
import { createBlas, createDoubleBlas } from "@mbs/onnx";
import { test } from "uvu";
import * as assert from "uvu/assert";

const single = createBlas({ threads: 2 });
const double = createDoubleBlas({ threads: 1 });

const ramp = (rows: number, columns: number): Matrix => ({
  rows,
  columns,
  values: Float32Array.from({ length: rows * columns }, (_, index) => Math.sin(index + rows)),
});
const toDouble = ({ rows, columns, values }: Matrix): Matrix<Float64Array> => ({
  rows,
  columns,
  values: Float64Array.from(values),
});
const turn = ({ rows, columns, values }: Matrix): Matrix => ({
  rows: columns,
  columns: rows,
  values: Float32Array.from({ length: values.length }, (_, index) =>
    at(values, (index % rows) * columns + Math.floor(index / rows)),
  ),
});

/** The product by its definition, in float64. */
function plain(a: Matrix, b: Matrix, alpha: number, add: Matrix | undefined): number[] {
  return Array.from({ length: a.rows * b.columns }, (_, index) => {
    const row = Math.floor(index / b.columns);
    let sum = 0;
    for (let k = 0; k < a.columns; k += 1)
      sum += at(a.values, row * a.columns + k) * at(b.values, k * b.columns + (index % b.columns));
    return alpha * sum + (add ? at(add.values, index) : 0);
  });
}

// 5 products of at most 1 and one more sum, whatever their order: 6 roundings of at most 6 · 2⁻²⁴ = 4e-7, or 6 · 2⁻⁵³.
const rounding = { single: 1e-5, double: 1e-12 };

async function expectProduct<V extends Real>(
  blas: Blas<V>,
  a: Matrix<V>,
  b: Matrix<V>,
  options: GemmOptions<V>,
  wanted: number[],
  tolerance: number,
) {
  const { values } = await blas.gemm(a, b, options);
  assert.is(values.length, wanted.length);
  const worst = Array.from<number>(values).reduce((most, value, index) => Math.max(most, Math.abs(value - at(wanted, index))), 0);
  assert.ok(worst < tolerance, `off by ${worst}`);
}

const a = ramp(7, 5);
const b = ramp(5, 9);
const c = ramp(7, 9);

for (const transposeA of [false, true]) {
  for (const transposeB of [false, true]) {
    for (const add of [undefined, c]) {
      test(`gemm, transposes ${transposeA} ${transposeB}, ${add ? "with" : "without"} a sum, both precisions`, async () => {
        const wanted = plain(a, b, -0.5, add);
        const left = transposeA ? turn(a) : a;
        const right = transposeB ? turn(b) : b;
        const flags = { transposeA, transposeB, alpha: -0.5 };
        await expectProduct(single, left, right, { ...flags, ...(add && { add }) }, wanted, rounding.single);
        const doubles = { ...flags, ...(add && { add: toDouble(add) }) };
        await expectProduct(double, toDouble(left), toDouble(right), doubles, wanted, rounding.double);
      });
    }
  }
}

test("the sum that is added is left as it was", async () => {
  const before = c.values.slice();
  await single.gemm(a, b, { add: c });
  assert.equal(c.values, before);
});

test("a result is written where it is asked for, also over the sum that is added", async () => {
  const wanted = await single.gemm(a, b, { add: c });
  const sum = c.values.slice();
  const { values } = await single.gemm(a, b, { add: { ...c, values: sum }, into: sum });
  assert.is(values, sum);
  assert.equal(sum, wanted.values);
  const cleared = new Float32Array(63).fill(1);
  await single.gemm(ramp(7, 0), ramp(0, 9), { into: cleared });
  assert.equal(cleared, new Float32Array(63));
});

test("empty sizes: no rows, and nothing to sum over", async () => {
  assert.equal((await single.gemm(ramp(0, 5), b)).values.length, 0);
  const nothing = await single.gemm(ramp(7, 0), ramp(0, 9), { add: c });
  assert.equal(nothing.values, c.values);
  assert.is.not(nothing.values, c.values);
});

test("shapes that do not fit are named", async () => {
  try {
    await single.gemm(a, a);
    assert.unreachable();
  } catch (error) {
    assert.instance(error, InternalError);
    assert.match(String(error), /7×5, 7×5/);
  }
});

// one shape, one kernel, one division among threads: each value is summed in one order
test("the same threads give the same bytes", async () => {
  const large = ramp(200, 300);
  const first = await single.gemm(large, large, { transposeB: true });
  const second = await single.gemm(large, large, { transposeB: true });
  assert.equal(first.values, second.values);
});

test("sessions stay in a pool for the next user of the same threads", async () => {
  const pool = createObjectPool();
  const [first, beside, other] = [1, 1, 2].map((threads) => createBlas({ threads, pool }));
  assert.ok(first && beside && other);
  const wanted = await first.gemm(a, b);
  assert.equal((await beside.gemm(a, b)).values, wanted.values);
  await first.release();
  assert.equal((await createBlas({ threads: 1, pool }).gemm(a, b)).values, wanted.values);
  assert.equal((await other.gemm(a, b)).values.length, wanted.values.length);
  await beside.release();
  await pool.close();
  await other.release();
});

test.after(async () => {
  await single.release();
  await double.release();
});

test.run();
