import type { BlockRule } from "./block-rule.ts";
import { levelTable } from "./column-grids.ts";

const { fround } = Math;

/** Steps of a scale's search, beside those for values that lie on a grid already. */
const searchSteps = 19;

/** A float32 of a smaller size than 2²² and this are a whole number apart: adding it rounds half to even. */
const rounder = 1.5 * 2 ** 23;

/** Scale and offset of the sub-block that was fitted last. */
export interface SubBlockFit {
  scale: number;
  offset: number;
}

/**
 * Shares of a sub-block's range that the search tries: from wider than the range to half of it, and the two that are exact where
 * the values are those of such a grid, with or without its last code.
 *
 * @param steps of the range
 */
export function triedShares(steps: number): Float32Array {
  const shares = Array.from({ length: searchSteps }, (_, index) => 1.05 - 0.03 * index);
  return Float32Array.of(1, steps / (steps - 1), ...shares);
}

/** What the search of a scale without an offset makes of the largest weight: each share of the range, with both signs. */
export function triedInverses({ maximum, zero, levels }: BlockRule): Float32Array {
  const reach = levels ? -levels[0]! : zero;
  const shares = triedShares(zero || (maximum + 1) / 2);
  return Float32Array.from([...shares, ...shares.map((share) => -share)], (share) => reach / share);
}

/** Fits the scale, and the offset of types that have one, of one sub-block at a time. */
export type SubBlockFitter = (values: Float32Array, importances: Float32Array) => SubBlockFit;

/**
 * Looks for the scale and offset with the least Σ importance · error²: for each share of the range, the best for the codes that
 * it gives, by least squares.
 */
function affineFitter({ maximum, offsets }: BlockRule): SubBlockFitter {
  const fit = { scale: 0, offset: 0 };
  const shares = triedShares(maximum);
  // offsets that are whole numbers move values down only
  const fromZero = offsets !== "half";
  return (values, importances) => {
    let low = fromZero ? 0 : values[0]!;
    let high = values[0]!;
    for (let column = 0; column < values.length; column += 1) {
      const value = values[column]!;
      if (value < low) low = value;
      if (value > high) high = value;
    }
    const range = fround(high - low);
    fit.scale = fround(range / maximum);
    fit.offset = -low;
    if (!(range > 0)) return fit;
    const middle = fround(fround(low + high) * 0.5);
    let most = -Infinity;
    for (let tried = 0; tried < shares.length; tried += 1) {
      const width = fround(range * shares[tried]!);
      const inverse = fround(maximum / width);
      const start = width >= range ? low : fround(middle - fround(width * 0.5));
      let [w, l, ll, x, xl] = [fround(0), fround(0), fround(0), fround(0), fround(0)];
      for (let column = 0; column < values.length; column += 1) {
        const value = values[column]!;
        const weight = importances[column]!;
        let code = fround(fround(value - start) * inverse);
        code = code < 0 ? 0 : code > maximum ? maximum : fround(fround(code + rounder) - rounder);
        const weighted = fround(weight * code);
        w = fround(w + weight);
        l = fround(l + weighted);
        ll = fround(ll + fround(weighted * code));
        x = fround(x + fround(weight * value));
        xl = fround(xl + fround(weighted * value));
      }
      const determinant = fround(fround(w * ll) - fround(l * l));
      if (!(determinant > 0)) continue;
      let scale = fround(fround(fround(w * xl) - fround(x * l)) / determinant);
      let least = fround(fround(fround(ll * x) - fround(l * xl)) / determinant);
      if (fromZero && least > 0) {
        least = 0;
        scale = fround(xl / ll);
      }
      const gain = fround(fround(scale * xl) + fround(least * x));
      if (!(gain > most && scale > 0)) continue;
      most = gain;
      fit.scale = scale;
      fit.offset = -least;
    }
    return fit;
  };
}

/** The same without an offset. Scales of both signs are tried, since levels reach further below zero than above it. */
function signedFitter(rule: BlockRule): SubBlockFitter {
  const { maximum, zero, levels } = rule;
  const fit = { scale: 0, offset: 0 };
  const table = levels && levelTable(levels);
  const [least, most] = [-zero, maximum - zero];
  const inverses = triedInverses(rule);
  return (values, importances) => {
    let largest = 0;
    for (let column = 0; column < values.length; column += 1) {
      const size = Math.abs(values[column]!);
      if (size > largest) largest = size;
    }
    fit.scale = 0;
    if (largest === 0) return fit;
    let best = -Infinity;
    for (let tried = 0; tried < inverses.length; tried += 1) {
      const inverse = fround(inverses[tried]! / largest);
      let [ll, xl] = [fround(0), fround(0)];
      for (let column = 0; column < values.length; column += 1) {
        const value = values[column]!;
        let level = fround(value * inverse);
        if (table) level = table[Math.min(Math.max(Math.floor(level * 2), -256), 255) + 256]!;
        else level = level < least ? least : level > most ? most : fround(fround(level + rounder) - rounder);
        const weighted = fround(importances[column]! * level);
        ll = fround(ll + fround(weighted * level));
        xl = fround(xl + fround(weighted * value));
      }
      if (!(ll > 0 && Math.abs(inverse) < Infinity)) continue;
      const scale = fround(xl / ll);
      const gain = fround(scale * xl);
      if (!(gain > best)) continue;
      best = gain;
      fit.scale = scale;
    }
    return fit;
  };
}

/** The fitter of a rule's sub-blocks. What it gives back is overwritten by the next call. */
export const createSubBlockFitter = (rule: BlockRule): SubBlockFitter => (rule.offsets ? affineFitter : signedFitter)(rule);
