// The inner loop of GPTQ and SparseGPT in SIMD. src/columns/column-kernel-reference.ts is its plain form and gives the same bits.
//
// Legend: B columns of the block, R rows of W of which a multiple of 32 is treated. All is float32 but for mask and codes.
//   W [B, R] weights   E [B, R] errors   U [B, B] diagonal block   S, Z [R] scales and zeros of the grid
//   M [last - first, R] bytes, 1 = kept   C [last - first, R] bytes, codes   T [B, 32] errors of one strip, side by side
//   P [B, B] diagonal block of the asymmetry   V [B, 32] weights of one strip as their columns' turn came
//   With grids of their own for each column: S, O [last - first, R] scales and offsets   L 16 levels (bytes), 15 limits (float32)
//
// Rows are independent: a strip of 32 goes through all columns before the next, its errors staying in the first cache.
// Each column gathers the errors of those before it (left-looking), so that a weight is loaded and stored once.

import { levelCodes, levelsOf } from "./levels";

const strip: i32 = 32;
const stripBytes: usize = 128;

/**
 * w[j] -= Σ e[i]·U[i, j] over fixed columns i in from … to-1, for one strip; in the order of i.
 *
 * @param weights the strip's part of row j of W
 * @param errors T, first row that belongs to `from`
 * @param factor U[from, j]
 * @param stride bytes from one row of U to the next
 */
function gather(weights: usize, errors: usize, factor: usize, stride: usize, count: i32): void {
  let a0 = v128.load(weights, 0);
  let a1 = v128.load(weights, 16);
  let a2 = v128.load(weights, 32);
  let a3 = v128.load(weights, 48);
  let a4 = v128.load(weights, 64);
  let a5 = v128.load(weights, 80);
  let a6 = v128.load(weights, 96);
  let a7 = v128.load(weights, 112);
  for (let i = 0; i < count; i++) {
    const u = v128.load32_splat(factor);
    a0 = f32x4.sub(a0, f32x4.mul(v128.load(errors, 0), u));
    a1 = f32x4.sub(a1, f32x4.mul(v128.load(errors, 16), u));
    a2 = f32x4.sub(a2, f32x4.mul(v128.load(errors, 32), u));
    a3 = f32x4.sub(a3, f32x4.mul(v128.load(errors, 48), u));
    a4 = f32x4.sub(a4, f32x4.mul(v128.load(errors, 64), u));
    a5 = f32x4.sub(a5, f32x4.mul(v128.load(errors, 80), u));
    a6 = f32x4.sub(a6, f32x4.mul(v128.load(errors, 96), u));
    a7 = f32x4.sub(a7, f32x4.mul(v128.load(errors, 112), u));
    errors += stripBytes;
    factor += stride;
  }
  v128.store(weights, a0, 0);
  v128.store(weights, a1, 16);
  v128.store(weights, a2, 32);
  v128.store(weights, a3, 48);
  v128.store(weights, a4, 64);
  v128.store(weights, a5, 80);
  v128.store(weights, a6, 96);
  v128.store(weights, a7, 112);
}

/**
 * The same with an asymmetry: w[j] -= e[i]·U[i, j] - v[i]·P[i, j].
 *
 * @param turned V, first row that belongs to `from`
 * @param pull P[from, j]; its rows lie as U's
 */
function gatherBoth(weights: usize, errors: usize, factor: usize, turned: usize, pull: usize, stride: usize, count: i32): void {
  for (let lane: usize = 0; lane < stripBytes; lane += 16) {
    let a = v128.load(weights + lane);
    let e = errors + lane;
    let v = turned + lane;
    let u = factor;
    let p = pull;
    for (let i = 0; i < count; i++) {
      const carried = f32x4.mul(v128.load(e), v128.load32_splat(u));
      a = f32x4.sub(a, f32x4.sub(carried, f32x4.mul(v128.load(v), v128.load32_splat(p))));
      e += stripBytes;
      v += stripBytes;
      u += stride;
      p += stride;
    }
    v128.store(weights + lane, a);
  }
}

/** Four bytes from 0 to 1 as a mask of four lanes, all ones where the byte is 1. */
function lanes(bytes: usize): v128 {
  const halves = i16x8.extend_low_i8x16_u(v128.load32_zero(bytes));
  return i32x4.ne(i32x4.extend_low_i16x8_u(halves), i32x4.splat(0));
}

/**
 * Fixes columns first … last-1 for the first `rows` rows and brings the later columns of the block up to date.
 *
 * @param rows a multiple of 32, at most R
 * @param M 0 for none
 * @param S 0 for no grid
 * @param P 0 for no asymmetry; V is then not touched
 * @param gridBytes from the scales of one column to those of the next; 0 where all columns have the same
 * @param O 0 for no offsets
 * @param L 0 where levels are as far apart as the scale; Z is then not read
 * @param carriesValues not 0 where values move on and not errors; E then holds them, and U's diagonal is not read
 */
export function fix(
  W: usize,
  E: usize,
  U: usize,
  T: usize,
  S: usize,
  Z: usize,
  M: usize,
  C: usize,
  B: i32,
  R: i32,
  rows: i32,
  first: i32,
  last: i32,
  maximum: f32,
  P: usize,
  V: usize,
  gridBytes: usize,
  O: usize,
  L: usize,
  carriesValues: i32,
): void {
  const rowBytes: usize = (<usize>R) << 2;
  const stride: usize = (<usize>B) << 2;
  const top = f32x4.splat(maximum);
  const bottom = f32x4.splat(0);
  for (let row = 0; row < rows; row += strip) {
    const offset: usize = (<usize>row) << 2;
    for (let j = first; j < last; j++) {
      const weights = W + <usize>j * rowBytes + offset;
      const above = (<usize>(first * B + j)) << 2;
      if (P) gatherBoth(weights, T, U + above, V, P + above, stride, j - first);
      else gather(weights, T, U + above, stride, j - first);
      const pivot = v128.load32_splat(U + ((<usize>(j * B + j)) << 2));
      const errors = E + <usize>j * rowBytes + offset;
      const kept = T + <usize>(j - first) * stripBytes;
      const turned = V + <usize>(j - first) * stripBytes;
      const bytes = <usize>(j - first) * <usize>R + <usize>row;
      const grid = <usize>(j - first) * gridBytes + offset;
      for (let lane: usize = 0; lane < stripBytes; lane += 16) {
        const w = v128.load(weights + lane);
        let value = w;
        if (P) v128.store(turned + lane, w);
        if (M) value = v128.and(value, lanes(M + bytes + (lane >> 2)));
        if (S) {
          const scale = v128.load(S + grid + lane);
          let words: v128;
          if (L) {
            words = levelCodes(f32x4.div(value, scale), L);
            value = f32x4.mul(levelsOf(words, L), scale);
          } else {
            const zero = v128.load(Z + offset + lane);
            if (O) value = f32x4.add(value, v128.load(O + grid + lane));
            const code = f32x4.min(f32x4.max(f32x4.add(f32x4.nearest(f32x4.div(value, scale)), zero), bottom), top);
            value = f32x4.mul(f32x4.sub(code, zero), scale);
            if (O) value = f32x4.sub(value, v128.load(O + grid + lane));
            words = i32x4.trunc_sat_f32x4_u(code);
          }
          const halves = i16x8.narrow_i32x4_u(words, words);
          v128.store32_lane(C + bytes + (lane >> 2), i8x16.narrow_i16x8_u(halves, halves), 0);
        }
        const error = carriesValues ? value : f32x4.div(f32x4.sub(w, value), pivot);
        v128.store(weights + lane, value);
        v128.store(errors + lane, error);
        v128.store(kept + lane, error);
      }
    }
    for (let k = last; k < B; k++) {
      const later = W + <usize>k * rowBytes + offset;
      const above = (<usize>(first * B + k)) << 2;
      if (P) gatherBoth(later, T, U + above, V, P + above, stride, last - first);
      else gather(later, T, U + above, stride, last - first);
    }
  }
}
