// Chooses points of a codebook for neighbouring columns of all rows. src/grids/point-rounder-reference.ts is its plain form, with the
// same bits.
//
// Legend: n columns that are decided together, at most 8, R rows as they lie.
//   X [n, R] wanted values, float32   U [n, n] upper triangular, float64   S [R] scales, float32
//   C [n, R] codes, bytes   Q [n, R] their values, float32
//   T tree of points: for each node and size the next node, -1 where there is none; int16
//   L [2 sizes] signed sizes, rising, float64
//   B [8, 8] float64: what the columns on the way have, one array of 8 after the other

const targetAt: usize = 0;
const wantedAt: usize = 64;
const factorAt: usize = 128;
const errorAt: usize = 192;
const lossAt: usize = 256;
// int32 from here on
const nodeAt: usize = 320;
const aboveAt: usize = 352;
const belowAt: usize = 384;
const leastAt: usize = 416;
const mostAt: usize = 448;
const negativesAt: usize = 480;

function f(address: usize, index: i32): f64 {
  return load<f64>(address + ((<usize>index) << 3));
}

function setF(address: usize, index: i32, value: f64): void {
  store<f64>(address + ((<usize>index) << 3), value);
}

function i(address: usize, index: i32): i32 {
  return load<i32>(address + ((<usize>index) << 2));
}

function setI(address: usize, index: i32, value: i32): void {
  store<i32>(address + ((<usize>index) << 2), value);
}

/** What a column's value is to be, once those before it have their errors. */
function targetOf(B: usize, U: usize, n: i32, column: i32): f64 {
  let target = f(B + targetAt, column);
  for (let before = 0; before < column; before += 1) target -= f(B + errorAt, before) * f(U, before * n + column);
  return target;
}

/** Σ err² of the codes that a row has. */
function lossOf(U: usize, C: usize, L: usize, B: usize, R: i32, n: i32, scale: f64): f64 {
  let loss: f64 = 0;
  for (let column = 0; column < n; column += 1) {
    const code = <i32>load<u8>(C + <usize>(column * R));
    const error = (targetOf(B, U, n, column) - scale * f(L, code)) / f(U, column * n + column);
    setF(B + errorAt, column, error);
    loss += error * error;
  }
  return loss;
}

/** The search of one row: puts codes that err less than `limit` into C, if there are any. */
function search(
  U: usize,
  C: usize,
  T: usize,
  L: usize,
  B: usize,
  R: i32,
  n: i32,
  width: i32,
  count: i32,
  even: i32,
  scale: f64,
  limit: f64,
): void {
  let best = limit;
  let found = false;
  let chosen: u64 = 0;
  // the codes on the way, one a byte
  let tried: u64 = 0;
  const inverse = 1 / scale;
  let column = 0;
  let entered = true;
  setF(B + lossAt, 0, 0);
  setI(B + nodeAt, 0, 0);
  setI(B + negativesAt, 0, 0);
  for (let j = 0; j < n; j += 1) setF(B + factorAt, j, scale / f(U, j * n + j));
  while (column >= 0) {
    if (entered) {
      const value = targetOf(B, U, n, column) * inverse;
      setF(B + wantedAt, column, value);
      let from = 0;
      let to = 2 * count;
      if (even && column == 7) {
        // the last sign is given by the others
        if ((i(B + negativesAt, 7) & 1) == 0) from = count;
        else to = count;
      }
      setI(B + leastAt, column, from);
      setI(B + mostAt, column, to);
      while (from < to && f(L, from) < value) from += 1;
      setI(B + aboveAt, column, from);
      setI(B + belowAt, column, from - 1);
      entered = false;
    }
    const a = i(B + aboveAt, column);
    const b = i(B + belowAt, column);
    const value = f(B + wantedAt, column);
    const hasBelow = b >= i(B + leastAt, column);
    let code: i32;
    if (a < i(B + mostAt, column) && (!hasBelow || f(L, a) - value <= value - f(L, b))) {
      code = a;
      setI(B + aboveAt, column, a + 1);
    } else if (hasBelow) {
      code = b;
      setI(B + belowAt, column, b - 1);
    } else {
      column -= 1;
      continue;
    }
    const error = (value - f(L, code)) * f(B + factorAt, column);
    const loss = f(B + lossAt, column) + error * error;
    if (loss >= best) {
      column -= 1;
      continue;
    }
    const size = code < count ? count - 1 - code : code - count;
    const child = <i32>load<i16>(T + ((<usize>(i(B + nodeAt, column) * count + size)) << 1));
    if (child < 0) continue;
    const shift = <u64>(column << 3);
    tried = (tried & ~((<u64>255) << shift)) | ((<u64>code) << shift);
    if (column == n - 1) {
      best = loss;
      chosen = tried;
      found = true;
      column -= 1;
      continue;
    }
    setF(B + errorAt, column, error);
    const negatives = i(B + negativesAt, column) + (code < count ? 1 : 0);
    column += 1;
    setF(B + lossAt, column, loss);
    setI(B + negativesAt, column, negatives);
    setI(B + nodeAt, column, column == width ? 0 : child);
    entered = true;
  }
  if (!found) return;
  for (let j = 0; j < n; j += 1) store<u8>(C + <usize>(j * R), <u8>(chosen >> <u64>(j << 3)));
}

/**
 * @param width columns of a point
 * @param count sizes
 * @param even whether of eight signs an even count is negative
 * @param keeps whether the codes that are there stay where no others err less
 */
export function roundPoints(
  X: usize,
  U: usize,
  S: usize,
  C: usize,
  Q: usize,
  T: usize,
  L: usize,
  B: usize,
  R: i32,
  n: i32,
  width: i32,
  count: i32,
  even: i32,
  keeps: i32,
): void {
  for (let row = 0; row < R; row += 1) {
    const own = C + <usize>row;
    const scale = <f64>load<f32>(S + ((<usize>row) << 2));
    if (scale == 0) {
      for (let j = 0; j < n; j += 1) store<u8>(own + <usize>(j * R), <u8>count);
    } else {
      for (let j = 0; j < n; j += 1) setF(B + targetAt, j, <f64>load<f32>(X + ((<usize>(j * R + row)) << 2)));
      const limit = keeps ? lossOf(U, own, L, B, R, n, scale) : Infinity;
      search(U, own, T, L, B, R, n, width, count, even, scale, limit);
    }
    for (let j = 0; j < n; j += 1) {
      const value = scale * f(L, <i32>load<u8>(own + <usize>(j * R)));
      store<f32>(Q + ((<usize>(j * R + row)) << 2), <f32>value);
    }
  }
}
