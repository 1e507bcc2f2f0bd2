// Fits the scales of GGUF's sub-blocks in SIMD. src/grids/sub-block-fit.ts and block-fit-reference.ts are its plain form and give
// the same bits.
//
// Legend: n columns of a sub-block, R rows of W as they lie, of which a multiple of 16 is treated. All is float32.
//   W [n, R] weights   T [4, n, 4] weights of 16 rows, four by four   D [n] importances of the columns
//   A [tries] shares of the range that are tried, or what the largest weight becomes   L 16 levels (bytes), 15 limits (float32)
//   S, O [R] wanted scales and offsets   F, G [R] units of scales and of offsets   s, o [R] whole numbers of them

import { levelCodes, levelsOf } from "./levels";
import { isShort, leastShort, mostShort } from "./short-floats";

const strip: i32 = 16;

/** Adding and subtracting 1.5·2^23 rounds to a whole number, ties to even, what is smaller than 2^22. */
const wholeShift: f32 = 12582912;

/** Copies 16 rows of W into T. */
function copyStrip(W: usize, T: usize, rowBytes: usize, columns: i32): void {
  const panel: usize = (<usize>columns) << 4;
  for (let column = 0; column < columns; column++) {
    v128.store(T, v128.load(W, 0));
    v128.store(T + panel, v128.load(W, 16));
    v128.store(T + 2 * panel, v128.load(W, 32));
    v128.store(T + 3 * panel, v128.load(W, 48));
    W += rowBytes;
    T += 16;
  }
}

/** The largest size of each row's weights. @param own of four rows side by side, 16 bytes a column */
function largestOf(own: usize, columns: i32): v128 {
  let largest = f32x4.splat(0);
  for (let column = 0; column < columns; column++) {
    largest = f32x4.pmax(largest, f32x4.abs(v128.load(own)));
    own += 16;
  }
  return largest;
}

/**
 * Scales and offsets with the least Σ importance · error²: for each share of the range, the best for the codes that it gives, by
 * least squares.
 *
 * @param maximum largest code
 * @param fromZero whether offsets move values down only
 */
export function fitAffine(
  W: usize,
  T: usize,
  D: usize,
  A: usize,
  S: usize,
  O: usize,
  R: i32,
  rows: i32,
  columns: i32,
  tries: i32,
  maximum: f32,
  fromZero: i32,
): void {
  const none = f32x4.splat(0);
  const top = f32x4.splat(maximum);
  const shift = f32x4.splat(wholeShift);
  const rowBytes: usize = (<usize>R) << 2;
  for (let row = 0; row < rows; row += strip) {
    const from: usize = (<usize>row) << 2;
    copyStrip(W + from, T, rowBytes, columns);
    for (let lane: usize = 0; lane < 4; lane++) {
      const own = T + lane * ((<usize>columns) << 4);
      const first = v128.load(own);
      let low = fromZero ? none : first;
      let high = first;
      let w = none;
      let x = none;
      let at = own;
      for (let column = 0; column < columns; column++) {
        const value = v128.load(at);
        const weight = v128.load32_splat(D + ((<usize>column) << 2));
        low = f32x4.pmin(low, value);
        high = f32x4.pmax(high, value);
        w = f32x4.add(w, weight);
        x = f32x4.add(x, f32x4.mul(weight, value));
        at += 16;
      }
      const range = f32x4.sub(high, low);
      const middle = f32x4.mul(f32x4.add(low, high), f32x4.splat(0.5));
      const usable = f32x4.gt(range, none);
      let found = f32x4.div(range, top);
      let offset = f32x4.neg(low);
      let most = f32x4.splat(-Infinity);
      for (let tried = 0; tried < tries; tried++) {
        const width = f32x4.mul(range, v128.load32_splat(A + ((<usize>tried) << 2)));
        const inverse = f32x4.div(top, width);
        const narrow = f32x4.sub(middle, f32x4.mul(width, f32x4.splat(0.5)));
        const start = v128.bitselect(low, narrow, f32x4.ge(width, range));
        let l = none;
        let ll = none;
        let xl = none;
        at = own;
        let weights = D;
        for (let column = 0; column < columns; column++) {
          const value = v128.load(at);
          const placed = f32x4.mul(f32x4.sub(value, start), inverse);
          const code = f32x4.sub(f32x4.add(f32x4.pmin(f32x4.pmax(placed, none), top), shift), shift);
          const weighted = f32x4.mul(v128.load32_splat(weights), code);
          l = f32x4.add(l, weighted);
          ll = f32x4.add(ll, f32x4.mul(weighted, code));
          xl = f32x4.add(xl, f32x4.mul(weighted, value));
          at += 16;
          weights += 4;
        }
        const determinant = f32x4.sub(f32x4.mul(w, ll), f32x4.mul(l, l));
        let scale = f32x4.div(f32x4.sub(f32x4.mul(w, xl), f32x4.mul(x, l)), determinant);
        let least = f32x4.div(f32x4.sub(f32x4.mul(ll, x), f32x4.mul(l, xl)), determinant);
        if (fromZero) {
          const above = f32x4.gt(least, none);
          least = v128.andnot(least, above);
          scale = v128.bitselect(f32x4.div(xl, ll), scale, above);
        }
        const gain = f32x4.add(f32x4.mul(scale, xl), f32x4.mul(least, x));
        const better = v128.and(
          v128.and(usable, f32x4.gt(determinant, none)),
          v128.and(f32x4.gt(gain, most), f32x4.gt(scale, none)),
        );
        most = v128.bitselect(gain, most, better);
        found = v128.bitselect(scale, found, better);
        offset = v128.bitselect(f32x4.neg(least), offset, better);
      }
      v128.store(S + from + (lane << 4), found);
      v128.store(O + from + (lane << 4), offset);
    }
  }
}

/**
 * The same without offsets.
 *
 * @param least lowest code, less the zero; not read with levels
 * @param L 0 where codes are equally far apart
 */
export function fitSigned(
  W: usize,
  T: usize,
  D: usize,
  A: usize,
  S: usize,
  R: i32,
  rows: i32,
  columns: i32,
  tries: i32,
  least: f32,
  most: f32,
  L: usize,
): void {
  const none = f32x4.splat(0);
  const bottom = f32x4.splat(least);
  const top = f32x4.splat(most);
  const shift = f32x4.splat(wholeShift);
  const infinite = f32x4.splat(Infinity);
  const rowBytes: usize = (<usize>R) << 2;
  for (let row = 0; row < rows; row += strip) {
    const from: usize = (<usize>row) << 2;
    copyStrip(W + from, T, rowBytes, columns);
    for (let lane: usize = 0; lane < 4; lane++) {
      const own = T + lane * ((<usize>columns) << 4);
      const largest = largestOf(own, columns);
      let found = none;
      let best = f32x4.splat(-Infinity);
      for (let tried = 0; tried < tries; tried++) {
        const inverse = f32x4.div(v128.load32_splat(A + ((<usize>tried) << 2)), largest);
        let ll = none;
        let xl = none;
        let at = own;
        let weights = D;
        for (let column = 0; column < columns; column++) {
          const value = v128.load(at);
          const placed = f32x4.mul(value, inverse);
          const level = L
            ? levelsOf(levelCodes(placed, L), L)
            : f32x4.sub(f32x4.add(f32x4.pmin(f32x4.pmax(placed, bottom), top), shift), shift);
          const weighted = f32x4.mul(v128.load32_splat(weights), level);
          ll = f32x4.add(ll, f32x4.mul(weighted, level));
          xl = f32x4.add(xl, f32x4.mul(weighted, value));
          at += 16;
          weights += 4;
        }
        const scale = f32x4.div(xl, ll);
        const gain = f32x4.mul(scale, xl);
        const usable = v128.and(f32x4.lt(f32x4.abs(inverse), infinite), f32x4.gt(ll, none));
        const better = v128.and(usable, f32x4.gt(gain, best));
        best = v128.bitselect(gain, best, better);
        found = v128.bitselect(scale, found, better);
      }
      v128.store(S + from + (lane << 4), found);
    }
  }
}

/**
 * Of the scales with few significant bits around the one at which the largest weight has the largest level, that with the least
 * error.
 *
 * @param largestLevel what the largest code stands for
 * @param dropped bits of a scale that are zero
 * @param reach scales that are tried up to that one, and above it
 */
export function fitShort(
  W: usize,
  T: usize,
  D: usize,
  S: usize,
  R: i32,
  rows: i32,
  columns: i32,
  largestLevel: f32,
  dropped: i32,
  reach: i32,
  L: usize,
): void {
  const none = f32x4.splat(0);
  const rowBytes: usize = (<usize>R) << 2;
  for (let row = 0; row < rows; row += strip) {
    const from: usize = (<usize>row) << 2;
    copyStrip(W + from, T, rowBytes, columns);
    for (let lane: usize = 0; lane < 4; lane++) {
      const own = T + lane * ((<usize>columns) << 4);
      const largest = largestOf(own, columns);
      const wanted = f32x4.div(largest, f32x4.splat(largestLevel));
      const bounded = f32x4.pmin(f32x4.pmax(wanted, f32x4.splat(leastShort)), f32x4.splat(mostShort));
      const lower = i32x4.shl(i32x4.shr_u(bounded, dropped), dropped);
      let found = f32x4.splat(leastShort);
      let least = f32x4.splat(Infinity);
      for (let place = 1 - reach; place <= reach; place++) {
        const scale = i32x4.add(lower, i32x4.splat(place << dropped));
        let loss = none;
        let at = own;
        let weights = D;
        for (let column = 0; column < columns; column++) {
          const value = v128.load(at);
          const error = f32x4.sub(f32x4.mul(levelsOf(levelCodes(f32x4.div(value, scale), L), L), scale), value);
          loss = f32x4.add(loss, f32x4.mul(v128.load32_splat(weights), f32x4.mul(error, error)));
          at += 16;
          weights += 4;
        }
        const better = v128.and(isShort(scale), f32x4.lt(loss, least));
        least = v128.bitselect(loss, least, better);
        found = v128.bitselect(scale, found, better);
      }
      v128.store(S + from + (lane << 4), found);
    }
  }
}

/** Whole numbers next to the wanted ones; 0 where the unit is 0. */
function nearest(wanted: v128, unit: v128, least: v128, most: v128): v128 {
  const number = f32x4.pmin(f32x4.pmax(f32x4.nearest(f32x4.div(wanted, unit)), least), most);
  return v128.andnot(number, f32x4.eq(unit, f32x4.splat(0)));
}

/**
 * Of the whole numbers for scale and offset next to the wanted ones, those with the least error.
 *
 * @param zero code of 0, or of minus the offset
 * @param lowest, highest whole numbers that scales may have; without levels 0 is left out
 * @param mostOffset largest whole number of an offset; 0 for no offsets, G and O are then not read
 * @param L 0 where codes are equally far apart
 */
export function chooseNumbers(
  W: usize,
  T: usize,
  D: usize,
  S: usize,
  O: usize,
  F: usize,
  G: usize,
  s: usize,
  o: usize,
  R: i32,
  rows: i32,
  columns: i32,
  zero: f32,
  maximum: f32,
  lowest: f32,
  highest: f32,
  mostOffset: f32,
  L: usize,
): void {
  const none = f32x4.splat(0);
  const one = f32x4.splat(1);
  const middle = f32x4.splat(zero);
  const top = f32x4.splat(maximum);
  const least = f32x4.splat(lowest);
  const most = f32x4.splat(highest);
  const last = f32x4.splat(mostOffset);
  const reach: f32 = mostOffset > 0 ? 1 : 0;
  const rowBytes: usize = (<usize>R) << 2;
  for (let row = 0; row < rows; row += strip) {
    const from: usize = (<usize>row) << 2;
    copyStrip(W + from, T, rowBytes, columns);
    for (let lane: usize = 0; lane < 4; lane++) {
      const own = T + lane * ((<usize>columns) << 4);
      const to = from + (lane << 4);
      const unit = v128.load(F + to);
      const near = nearest(v128.load(S + to), unit, least, most);
      let offsetUnit = none;
      let nearOffset = none;
      let lastOffset = none;
      if (mostOffset > 0) {
        offsetUnit = v128.load(G + to);
        nearOffset = nearest(v128.load(O + to), offsetUnit, none, last);
        lastOffset = v128.andnot(f32x4.pmin(f32x4.add(nearOffset, one), last), f32x4.eq(offsetUnit, none));
      }
      let found = one;
      let foundOffset = one;
      let lowestLoss = f32x4.splat(Infinity);
      for (let step: f32 = -1; step <= 1; step++) {
        const number = f32x4.add(near, f32x4.splat(step));
        let allowed = v128.and(f32x4.ge(number, least), f32x4.le(number, most));
        if (!L) allowed = v128.and(allowed, f32x4.ne(number, none));
        const scale = f32x4.mul(unit, number);
        for (let offsetStep: f32 = -reach; offsetStep <= reach; offsetStep++) {
          const offsetNumber = f32x4.add(nearOffset, f32x4.splat(offsetStep));
          const tried = v128.and(allowed, v128.and(f32x4.ge(offsetNumber, none), f32x4.le(offsetNumber, lastOffset)));
          if (!v128.any_true(tried)) continue;
          const offset = f32x4.mul(offsetUnit, offsetNumber);
          let loss = none;
          let at = own;
          let weights = D;
          for (let column = 0; column < columns; column++) {
            const value = v128.load(at);
            let rounded: v128;
            if (L) {
              rounded = f32x4.mul(levelsOf(levelCodes(f32x4.div(value, scale), L), L), scale);
            } else {
              const code = f32x4.add(f32x4.nearest(f32x4.div(f32x4.add(value, offset), scale)), middle);
              const inside = f32x4.pmin(f32x4.pmax(code, none), top);
              rounded = f32x4.sub(f32x4.mul(f32x4.sub(inside, middle), scale), offset);
            }
            const error = f32x4.sub(rounded, value);
            loss = f32x4.add(loss, f32x4.mul(v128.load32_splat(weights), f32x4.mul(error, error)));
            at += 16;
            weights += 4;
          }
          const better = v128.and(tried, f32x4.lt(loss, lowestLoss));
          lowestLoss = v128.bitselect(loss, lowestLoss, better);
          found = v128.bitselect(number, found, better);
          foundOffset = v128.bitselect(offsetNumber, foundOffset, better);
        }
      }
      v128.store(s + to, found);
      v128.store(o + to, foundOffset);
    }
  }
}
