// Chooses the scales of GGUF's sub-blocks again for the codes that they have, in SIMD. src/grids/sub-block-refit-reference.ts is its
// plain form and gives the same bits.
//
// Legend: n columns of a sub-block, R rows of W as they lie, of which a multiple of 16 is treated. All is float32 but for codes.
//   X [n, R] best values, as the reference explains   C [n, R] bytes, codes   H [n, n] Hessian
//   B [4, n] of each column: H[k, k], 1 / H[k, k], Σ H[k, j] over j < k, and over j > k
//   T [3, n, 16] of 16 rows: q, Σ H[k, j]·q[j] over j < k, and over j > k   L 16 levels (bytes)
//   F, G [R] units of scales and of offsets   s, o [R] whole numbers of them   S, O [R] scales and offsets, units times numbers

import { levelsOf } from "./levels";
import { isShort } from "./short-floats";

const strip: i32 = 16;
const stripBytes: usize = 64;

/** What `kind` says of a type's scales. */
const wholeNumbers: i32 = 0;
const halfBoth: i32 = 2;

/** Where the determinant is a smaller share of its first term, scale and offset cannot be told apart in float32. */
const leastDeterminant: f32 = 1e-4;

/** In half precision. */
function roundHalf(exact: v128): v128 {
  const size = f32x4.abs(exact);
  const sign = v128.and(exact, i32x4.splat(0x80000000));
  const odd = v128.and(i32x4.shr_u(size, 13), i32x4.splat(1));
  const normal = v128.and(i32x4.add(size, i32x4.add(odd, i32x4.splat(0xfff))), i32x4.splat(0xffffe000));
  const finite = v128.bitselect(f32x4.splat(Infinity), normal, f32x4.ge(size, f32x4.splat(65520)));
  const small = f32x4.sub(f32x4.add(size, f32x4.splat(0.5)), f32x4.splat(0.5));
  return v128.or(sign, v128.bitselect(small, finite, f32x4.lt(size, f32x4.splat(6.103515625e-5))));
}

/** To the nearest scale whose last `dropped` bits are zero, of two as near the larger; 0 where there is none that is above zero. */
function roundShort(exact: v128, dropped: i32): v128 {
  const kept = i32x4.shr_u(i32x4.add(exact, i32x4.splat(1 << (dropped - 1))), dropped);
  const rounded = i32x4.shl(kept, dropped);
  return v128.and(rounded, isShort(rounded));
}

/** Sums of H[k, j]·q[j] over j from … to-1 for 16 rows. */
function sumProducts(q: usize, row: usize, from: i32, to: i32, target: usize): void {
  let a0 = f32x4.splat(0);
  let a1 = a0;
  let a2 = a0;
  let a3 = a0;
  q += <usize>from * stripBytes;
  for (let j = from; j < to; j++) {
    const h = v128.load32_splat(row + ((<usize>j) << 2));
    a0 = f32x4.add(a0, f32x4.mul(h, v128.load(q, 0)));
    a1 = f32x4.add(a1, f32x4.mul(h, v128.load(q, 16)));
    a2 = f32x4.add(a2, f32x4.mul(h, v128.load(q, 32)));
    a3 = f32x4.add(a3, f32x4.mul(h, v128.load(q, 48)));
    q += stripBytes;
  }
  v128.store(target, a0, 0);
  v128.store(target, a1, 16);
  v128.store(target, a2, 32);
  v128.store(target, a3, 48);
}

/** How much the error changes with scale and offset. */
function changeOf(
  scale: v128,
  offset: v128,
  slope: v128,
  offsetSlope: v128,
  curvature: v128,
  cross: v128,
  offsetCurvature: v128,
): v128 {
  const two = f32x4.splat(2);
  const linear = f32x4.mul(two, f32x4.sub(f32x4.mul(scale, slope), f32x4.mul(offset, offsetSlope)));
  const mixed = f32x4.mul(two, f32x4.mul(f32x4.mul(scale, offset), cross));
  const squares = f32x4.sub(f32x4.mul(f32x4.mul(offset, offset), offsetCurvature), mixed);
  return f32x4.add(f32x4.add(linear, f32x4.mul(f32x4.mul(scale, scale), curvature)), squares);
}

/**
 * Chooses scales and offsets of the first `rows` rows, and brings X up to date.
 *
 * @param zero code of 0, or of minus the offset; not read with levels
 * @param offsetCurvature Σ H
 * @param least, most whole numbers that scales may have; without levels 0 is left out
 * @param mostOffset largest whole number of an offset; 0 for no offsets
 * @param kind 0 for whole numbers, 1 for scales in half precision, 2 for offsets too
 * @param dropped bits of a scale that are zero, of few significant bits; 0 for half precision. Such a scale is not zero
 * @param L 0 where codes are equally far apart
 */
export function refit(
  X: usize,
  C: usize,
  T: usize,
  H: usize,
  B: usize,
  F: usize,
  G: usize,
  s: usize,
  o: usize,
  S: usize,
  O: usize,
  R: i32,
  rows: i32,
  columns: i32,
  zero: f32,
  offsetCurvature: f32,
  least: f32,
  most: f32,
  mostOffset: f32,
  kind: i32,
  dropped: i32,
  L: usize,
): void {
  const none = f32x4.splat(0);
  const one = f32x4.splat(1);
  const middle = f32x4.splat(zero);
  const total = f32x4.splat(offsetCurvature);
  const rowBytes: usize = (<usize>R) << 2;
  const part: usize = <usize>columns * stripBytes;
  const vector: usize = (<usize>columns) << 2;
  for (let row = 0; row < rows; row += strip) {
    for (let k = 0; k < columns; k++) {
      const codes = C + <usize>k * <usize>R + <usize>row;
      const to = T + <usize>k * stripBytes;
      for (let lane: usize = 0; lane < stripBytes; lane += 16) {
        const halves = i16x8.extend_low_i8x16_u(v128.load32_zero(codes + (lane >> 2)));
        const code = i32x4.extend_low_i16x8_u(halves);
        v128.store(to + lane, L ? levelsOf(code, L) : f32x4.sub(f32x4.convert_i32x4_s(code), middle));
      }
    }
    for (let k = 0; k < columns; k++) {
      const to = T + <usize>k * stripBytes;
      sumProducts(T, H + <usize>k * vector, 0, k, to + part);
      sumProducts(T, H + <usize>k * vector, k + 1, columns, to + 2 * part);
    }
    for (let lane: usize = 0; lane < stripBytes; lane += 16) {
      const place = ((<usize>row) << 2) + lane;
      const unit = v128.load(F + place);
      const offsetUnit = v128.load(G + place);
      const number = v128.load(s + place);
      const offsetNumber = v128.load(o + place);
      const scale = f32x4.mul(unit, number);
      const offset = f32x4.mul(offsetUnit, offsetNumber);
      let slope = none;
      let offsetSlope = none;
      let curvature = none;
      let cross = none;
      for (let k = 0; k < columns; k++) {
        const at = T + <usize>k * stripBytes + lane;
        const own = B + ((<usize>k) << 2);
        const diagonal = v128.load32_splat(own);
        const q = v128.load(at);
        const before = v128.load(at + part);
        const error = f32x4.sub(f32x4.sub(f32x4.mul(scale, q), offset), v128.load(X + <usize>k * rowBytes + place));
        const carried = f32x4.sub(f32x4.mul(scale, before), f32x4.mul(offset, v128.load32_splat(own + 2 * vector)));
        const gradient = f32x4.add(f32x4.mul(diagonal, error), carried);
        const product = f32x4.add(f32x4.add(before, v128.load(at + 2 * part)), f32x4.mul(diagonal, q));
        slope = f32x4.add(slope, f32x4.mul(q, gradient));
        offsetSlope = f32x4.add(offsetSlope, gradient);
        curvature = f32x4.add(curvature, f32x4.mul(q, product));
        cross = f32x4.add(cross, product);
      }
      // without offsets the scale alone
      let scaleChange = v128.and(f32x4.div(f32x4.neg(slope), curvature), f32x4.gt(curvature, none));
      let offsetChange = none;
      if (kind === halfBoth || mostOffset > 0) {
        const first = f32x4.mul(curvature, total);
        const determinant = f32x4.sub(first, f32x4.mul(cross, cross));
        let both = f32x4.gt(determinant, f32x4.mul(first, f32x4.splat(leastDeterminant)));
        if (kind !== halfBoth) both = v128.and(both, f32x4.ne(offsetUnit, none));
        const forScale = f32x4.div(f32x4.sub(f32x4.mul(cross, offsetSlope), f32x4.mul(slope, total)), determinant);
        const forOffset = f32x4.div(f32x4.sub(f32x4.mul(curvature, offsetSlope), f32x4.mul(slope, cross)), determinant);
        scaleChange = v128.bitselect(forScale, scaleChange, both);
        offsetChange = v128.and(forOffset, both);
      }
      const wanted = f32x4.add(scale, scaleChange);
      const wantedOffset = f32x4.add(offset, offsetChange);
      let found = none;
      let foundOffset = none;
      if (kind === wholeNumbers) {
        const low = f32x4.pmin(f32x4.pmax(f32x4.floor(f32x4.div(wanted, unit)), f32x4.splat(least)), f32x4.splat(most));
        const last = f32x4.splat(mostOffset);
        let lowOffset = f32x4.pmin(f32x4.pmax(f32x4.floor(f32x4.div(wantedOffset, offsetUnit)), none), last);
        lowOffset = v128.andnot(lowOffset, f32x4.eq(offsetUnit, none));
        const lastOffset = v128.andnot(last, f32x4.eq(offsetUnit, none));
        let best = none;
        let kept = number;
        let keptOffset = offsetNumber;
        for (let step: f32 = 0; step <= 1; step++) {
          const tried = f32x4.pmin(f32x4.add(low, f32x4.splat(step)), f32x4.splat(most));
          let allowed = f32x4.ne(unit, none);
          if (!L) allowed = v128.and(allowed, f32x4.ne(tried, none));
          const change = f32x4.sub(f32x4.mul(unit, tried), scale);
          for (let offsetStep: f32 = 0; offsetStep <= 1; offsetStep++) {
            if (offsetStep > 0 && mostOffset === 0) break;
            const triedOffset = f32x4.pmin(f32x4.add(lowOffset, f32x4.splat(offsetStep)), lastOffset);
            const moved = f32x4.sub(f32x4.mul(offsetUnit, triedOffset), offset);
            const loss = changeOf(change, moved, slope, offsetSlope, curvature, cross, total);
            const better = v128.and(allowed, f32x4.lt(loss, best));
            best = v128.bitselect(loss, best, better);
            kept = v128.bitselect(tried, kept, better);
            keptOffset = v128.bitselect(triedOffset, keptOffset, better);
          }
        }
        v128.store(s + place, kept);
        v128.store(o + place, keptOffset);
        found = f32x4.mul(unit, kept);
        foundOffset = f32x4.mul(offsetUnit, keptOffset);
      } else {
        const tried = dropped ? roundShort(wanted, dropped) : roundHalf(wanted);
        const triedOffset = kind === halfBoth ? roundHalf(wantedOffset) : offset;
        const change = f32x4.sub(tried, scale);
        const moved = f32x4.sub(triedOffset, offset);
        let better = f32x4.lt(changeOf(change, moved, slope, offsetSlope, curvature, cross, total), none);
        if (!L || dropped) better = v128.and(better, f32x4.ne(tried, none));
        found = v128.bitselect(tried, scale, better);
        foundOffset = v128.bitselect(triedOffset, offset, better);
      }
      v128.store(S + place, found);
      v128.store(O + place, foundOffset);
      const change = f32x4.sub(found, scale);
      const moved = f32x4.sub(foundOffset, offset);
      for (let k = 0; k < columns; k++) {
        const own = B + ((<usize>k) << 2);
        const x = X + <usize>k * rowBytes + place;
        const behind = v128.load(T + <usize>k * stripBytes + lane + 2 * part);
        const pull = f32x4.sub(f32x4.mul(change, behind), f32x4.mul(moved, v128.load32_splat(own + 3 * vector)));
        v128.store(x, f32x4.sub(v128.load(x), f32x4.mul(pull, v128.load32_splat(own + vector))));
      }
    }
  }
}
