// Fits one grid a row to a group of columns in SIMD. src/grids/grid-reference.ts is its plain form and decides where this one cannot.
//
// Legend: n columns of the group, R rows of W as they lie, a multiple of 16. All is float32.
//   W [n, R] weights   T [4, n, 4] weights of 16 rows, four by four   L, H [16] their ranges
//   D [n] importances of the columns; 0 where the norm |e|^2.4 counts instead
//   A [steps] shares of the range that are tried   B [steps, 4] their losses for four rows
//   S, Z [R] scales and zeros found   F, G [R] first and last + 1 of the steps that the reference has to decide between; G is 0
//   where there is nothing left to decide
//
// Scales, zeros and errors have the bits of the reference. Only losses are approximate, by the norm |e|^2.4 or by float32; that is
// enough to know the grid with the least loss, except where a second one comes close.

const strip: i32 = 16;

/** Less a fifth of the bits of a, these are the bits of a^(-1/5), to 3.3%. */
const rootBits: i32 = 0x4c2ba000;
/** A fifth of 2^16 in the upper half: what the upper 16 bits are multiplied by. */
const fifth: i32 = 13107 << 16;

/** t⁴ + p3·t³ + … is 1.6175·t^-0.8 to 4e-6 from 0.853 to 1.174, all that rootBits leaves of t = a·r⁵. */
const p0: f32 = 6.1940507888793945;
const p1: f32 = -10.976487159729004;
const p2: f32 = 10.51710319519043;
const p3: f32 = -5.117176532745361;

/** Adding and subtracting 1.5·2^23 rounds to a whole number, ties to even, what is smaller than 2^22. */
const wholeShift: f32 = 12582912;

/** Ranges outside of these are left to the reference: there, sums could leave the range of float32. */
const leastWidth: f32 = 9.5367431640625e-7;
const mostWidth: f32 = 1099511627776;
/** Smaller losses than this are not told apart. */
const leastLoss: f32 = 1e-30;

/** Types of scales. */
const f16: i32 = 1;
const bf16: i32 = 2;

/** 1.6175·|e|^2.4, as (a·r²)²·t^-0.8 with a = e² and r about a^(-1/5). */
function norm(error: v128): v128 {
  const a = f32x4.mul(error, error);
  const r = i32x4.sub(i32x4.splat(rootBits), i32x4.dot_i16x8_s(a, i32x4.splat(fifth)));
  const r2 = f32x4.mul(r, r);
  const u = f32x4.mul(a, r2);
  const t = f32x4.mul(f32x4.mul(u, r2), r);
  let p = f32x4.add(t, f32x4.splat(p3));
  p = f32x4.add(f32x4.mul(t, p), f32x4.splat(p2));
  p = f32x4.add(f32x4.mul(t, p), f32x4.splat(p1));
  p = f32x4.add(f32x4.mul(t, p), f32x4.splat(p0));
  return f32x4.mul(f32x4.mul(u, u), p);
}

/**
 * The loss of a grid for four rows; stops where it is above `limit` for all of them.
 *
 * @param low lowest code, less the zero
 */
function lossOf(weights: usize, columns: i32, scale: v128, low: v128, high: v128, limit: v128): v128 {
  const shift = f32x4.splat(wholeShift);
  let loss = f32x4.splat(0);
  let part = loss;
  for (let column = 1; column <= columns; column++) {
    const w = v128.load(weights);
    const whole = f32x4.sub(f32x4.add(f32x4.div(w, scale), shift), shift);
    const code = f32x4.pmin(f32x4.pmax(whole, low), high);
    part = f32x4.add(part, norm(f32x4.sub(f32x4.mul(code, scale), w)));
    weights += 16;
    if ((column & 7) === 0) {
      loss = f32x4.add(loss, part);
      part = f32x4.splat(0);
      if (!v128.any_true(f32x4.le(loss, limit))) break;
    }
  }
  return f32x4.add(loss, part);
}

/** The same with the squared errors of columns weighted by their importances. */
function weightedLossOf(weights: usize, importances: usize, columns: i32, scale: v128, low: v128, high: v128, limit: v128): v128 {
  const shift = f32x4.splat(wholeShift);
  let loss = f32x4.splat(0);
  let part = loss;
  for (let column = 1; column <= columns; column++) {
    const w = v128.load(weights);
    const whole = f32x4.sub(f32x4.add(f32x4.div(w, scale), shift), shift);
    const code = f32x4.pmin(f32x4.pmax(whole, low), high);
    const error = f32x4.sub(f32x4.mul(code, scale), w);
    part = f32x4.add(part, f32x4.mul(f32x4.mul(error, error), v128.load32_splat(importances)));
    weights += 16;
    importances += 4;
    if ((column & 7) === 0) {
      loss = f32x4.add(loss, part);
      part = f32x4.splat(0);
      if (!v128.any_true(f32x4.le(loss, limit))) break;
    }
  }
  return f32x4.add(loss, part);
}

/** Rounds widths above zero to the dtype of scales. */
function roundScale(exact: v128, width: v128, maximum: f32, dtype: i32): v128 {
  if (dtype === bf16) {
    const odd = v128.and(i32x4.shr_u(exact, 16), i32x4.splat(1));
    return v128.and(i32x4.add(exact, i32x4.add(odd, i32x4.splat(0x7fff))), i32x4.splat(0xffff0000));
  }
  if (dtype !== f16) return exact;
  const odd = v128.and(i32x4.shr_u(exact, 13), i32x4.splat(1));
  const normal = v128.and(i32x4.add(exact, i32x4.add(odd, i32x4.splat(0xfff))), i32x4.splat(0xffffe000));
  const finite = v128.bitselect(f32x4.splat(Infinity), normal, f32x4.ge(exact, f32x4.splat(65520)));
  // adding 0.5 rounds to a multiple of 2^-24; where that overruns the range by half a step, or is zero, the next one is taken
  const rounded = f32x4.sub(f32x4.add(exact, f32x4.splat(0.5)), f32x4.splat(0.5));
  const overrun = f32x4.gt(width, f32x4.mul(f32x4.splat(maximum + 0.5), rounded));
  const raised = f32x4.add(rounded, v128.and(overrun, f32x4.splat(5.9604644775390625e-8)));
  return v128.bitselect(raised, finite, f32x4.lt(exact, f32x4.splat(6.103515625e-5)));
}

/**
 * Fits the grids of the first `rows` rows.
 *
 * @param rows a multiple of 16, at most R
 * @param midpoint the zero of symmetric grids; negative for asymmetric ones
 * @param leastZero least zero of asymmetric grids, 0 or 1
 * @param dtype what scales are rounded to: 0 f32, 1 f16, 2 bf16
 * @param steps 1 for no search
 * @param closeness losses within this factor of the least one are not told apart
 */
export function fit(
  W: usize,
  T: usize,
  D: usize,
  L: usize,
  H: usize,
  A: usize,
  B: usize,
  S: usize,
  Z: usize,
  F: usize,
  G: usize,
  R: i32,
  rows: i32,
  columns: i32,
  maximum: f32,
  midpoint: f32,
  leastZero: f32,
  dtype: i32,
  steps: i32,
  closeness: f32,
): void {
  const rowBytes: usize = (<usize>R) << 2;
  const panel: usize = (<usize>columns) << 4;
  const none = f32x4.splat(0);
  const top = f32x4.splat(maximum);
  for (let row = 0; row < rows; row += strip) {
    let source = W + ((<usize>row) << 2);
    let target = T;
    let l0 = none,
      l1 = none,
      l2 = none,
      l3 = none;
    let h0 = none,
      h1 = none,
      h2 = none,
      h3 = none;
    for (let column = 0; column < columns; column++) {
      const w0 = v128.load(source, 0);
      const w1 = v128.load(source, 16);
      const w2 = v128.load(source, 32);
      const w3 = v128.load(source, 48);
      v128.store(target, w0);
      v128.store(target + panel, w1);
      v128.store(target + 2 * panel, w2);
      v128.store(target + 3 * panel, w3);
      l0 = f32x4.pmin(l0, w0);
      l1 = f32x4.pmin(l1, w1);
      l2 = f32x4.pmin(l2, w2);
      l3 = f32x4.pmin(l3, w3);
      h0 = f32x4.pmax(h0, w0);
      h1 = f32x4.pmax(h1, w1);
      h2 = f32x4.pmax(h2, w2);
      h3 = f32x4.pmax(h3, w3);
      source += rowBytes;
      target += 16;
    }
    v128.store(L, l0, 0);
    v128.store(L, l1, 16);
    v128.store(L, l2, 32);
    v128.store(L, l3, 48);
    v128.store(H, h0, 0);
    v128.store(H, h1, 16);
    v128.store(H, h2, 32);
    v128.store(H, h3, 48);
    for (let lane = 0; lane < 4; lane++) {
      const own: usize = (<usize>lane) << 4;
      let least = v128.load(L + own);
      let most = v128.load(H + own);
      if (midpoint >= 0) {
        most = f32x4.pmax(most, f32x4.neg(least));
        least = f32x4.neg(most);
      } else if (leastZero > 0) {
        least = f32x4.pmin(least, f32x4.neg(f32x4.div(most, f32x4.splat(2 * maximum - 1))));
      }
      const empty = f32x4.eq(least, most);
      least = v128.bitselect(f32x4.splat(-1), least, empty);
      most = v128.bitselect(f32x4.splat(1), most, empty);
      const range = f32x4.sub(most, least);
      const usual = v128.and(f32x4.ge(range, f32x4.splat(leastWidth)), f32x4.le(range, f32x4.splat(mostWidth)));
      const all = f32x4.splat(<f32>steps);
      let found = f32x4.splat(1);
      let foundZero = none;
      let best = f32x4.splat(Infinity);
      let limit = best;
      for (let step = 0; step < steps; step++) {
        const share = v128.load32_splat(A + ((<usize>step) << 2));
        const lower = f32x4.mul(share, least);
        const width = f32x4.sub(f32x4.mul(share, most), lower);
        const scale = roundScale(f32x4.div(width, top), width, maximum, dtype);
        let zero = f32x4.splat(midpoint);
        if (midpoint < 0) {
          zero = f32x4.nearest(f32x4.div(f32x4.neg(lower), scale));
          zero = f32x4.min(f32x4.max(zero, f32x4.splat(leastZero)), top);
        }
        if (steps === 1) {
          found = scale;
          foundZero = zero;
          break;
        }
        const weights = T + <usize>lane * panel;
        const low = f32x4.neg(zero);
        const high = f32x4.sub(top, zero);
        const loss =
          D === 0
            ? lossOf(weights, columns, scale, low, high, limit)
            : weightedLossOf(weights, D, columns, scale, low, high, limit);
        v128.store(B + ((<usize>step) << 4), loss);
        const less = f32x4.lt(loss, best);
        found = v128.bitselect(scale, found, less);
        foundZero = v128.bitselect(zero, foundZero, less);
        best = v128.bitselect(loss, best, less);
        limit = f32x4.add(f32x4.mul(best, f32x4.splat(closeness)), f32x4.splat(leastLoss));
        // rows of zeros take the first grid
        limit = v128.bitselect(f32x4.splat(-1), limit, empty);
      }
      let first = none;
      let end = none;
      if (steps > 1) {
        let close = none;
        for (let step = 0; step < steps; step++) {
          const near = f32x4.le(v128.load(B + ((<usize>step) << 4)), limit);
          const index = f32x4.splat(<f32>step);
          first = v128.bitselect(index, first, v128.andnot(near, f32x4.gt(close, none)));
          end = v128.bitselect(f32x4.add(index, f32x4.splat(1)), end, near);
          close = f32x4.sub(close, f32x4.convert_i32x4_s(near));
        }
        end = v128.and(end, f32x4.gt(close, f32x4.splat(1)));
      }
      const offset = ((<usize>row) << 2) + own;
      v128.store(S + offset, found);
      v128.store(Z + offset, foundZero);
      v128.store(F + offset, v128.and(first, usual));
      v128.store(G + offset, v128.bitselect(end, all, usual));
    }
  }
}
