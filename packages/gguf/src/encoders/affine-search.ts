import { nearest } from "./float-rounding.ts";
import { smallest } from "./symmetric-search.ts";

/*
 * Scales with a least value: value = scale · code - least, codes 0 … max. All sums and products are rounded to float32 in
 * ggml's order; the legend is in symmetric-search.ts.
 */

const round = Math.fround;

/** Which scales are tried: those that map the range to `max + first`, `max + first + step`, …; `tries` of them after the first. */
export interface AffineSearch {
  readonly max: number;
  readonly first: number;
  readonly step: number;
  readonly tries: number;
  /** Whether errors count by their size; else by their square. */
  readonly absolute: boolean;
}

/** A scale and a least value, at least 0. */
export interface Affine {
  scale: number;
  least: number;
}

const clamped = (code: number, max: number): number => (code < 0 ? 0 : code > max ? max : code);
const trial = new Uint8Array(32);

/** The weighted error of the codes at `codesAt`. */
function errorOf(
  x: Float32Array,
  at: number,
  count: number,
  codes: Uint8Array,
  codesAt: number,
  weights: Float32Array,
  weightsAt: number,
  scale: number,
  shift: number,
  absolute: boolean,
): number {
  let sum = 0;
  for (let i = 0; i < count; i += 1) {
    const difference = round(round(round(scale * codes[codesAt + i]!) + shift) - x[at + i]!);
    const size = absolute ? Math.abs(difference) : round(difference * difference);
    sum = round(sum + round(weights[weightsAt + i]! * size));
  }
  return sum;
}

/** The range of some values, at most 0 at its lower end, and Σ weight and Σ weight · value. */
interface WeightedRange {
  low: number;
  high: number;
  weight: number;
  value: number;
}

const range: WeightedRange = { low: 0, high: 0, weight: 0, value: 0 };

/** @returns `range`, valid until the next call */
function rangeOf(x: Float32Array, at: number, count: number, weights: Float32Array, weightsAt: number): Readonly<WeightedRange> {
  let low = x[at]!;
  let high = low;
  let sumWeight = weights[weightsAt]!;
  let sumValue = round(sumWeight * low);
  for (let i = 1; i < count; i += 1) {
    const value = x[at + i]!;
    if (value < low) low = value;
    if (value > high) high = value;
    const weight = weights[weightsAt + i]!;
    sumWeight = round(sumWeight + weight);
    sumValue = round(sumValue + round(weight * value));
  }
  range.low = low > 0 ? 0 : low;
  range.high = high;
  range.weight = sumWeight;
  range.value = sumValue;
  return range;
}

/** Fits scale and least value to each try's codes by weighted least squares, and keeps the best ones. @param found receives them */
export function searchAffine(
  x: Float32Array,
  at: number,
  count: number,
  search: AffineSearch,
  codes: Uint8Array,
  codesAt: number,
  weights: Float32Array,
  weightsAt: number,
  found: Affine,
): void {
  const { max, tries, absolute } = search;
  const { low, high, weight: sumWeight, value: sumValue } = rangeOf(x, at, count, weights, weightsAt);
  if (high <= low) {
    codes.fill(0, codesAt, codesAt + count);
    found.scale = 0;
    found.least = -low;
    return;
  }
  let inverse = round(max / round(high - low));
  let scale = round(1 / inverse);
  let shift = low;
  for (let i = 0; i < count; i += 1) {
    codes[codesAt + i] = clamped(nearest(round(inverse * round(x[at + i]! - low))), max);
  }
  let best = errorOf(x, at, count, codes, codesAt, weights, weightsAt, scale, shift, absolute);
  const first = round(search.first);
  const step = round(search.step);
  for (let index = 0; index <= tries; index += 1) {
    // from the best least value so far, not the one of the range
    inverse = round(round(round(first + round(step * index)) + max) / round(high - shift));
    let sumCode = 0;
    let sumSquare = 0;
    let sumProduct = 0;
    for (let i = 0; i < count; i += 1) {
      const value = x[at + i]!;
      const code = clamped(nearest(round(inverse * round(value - shift))), max);
      trial[i] = code;
      const weighted = round(weights[weightsAt + i]! * code);
      sumCode = round(sumCode + weighted);
      sumSquare = round(sumSquare + round(weighted * code));
      sumProduct = round(sumProduct + round(weighted * value));
    }
    const determinant = round(round(sumWeight * sumSquare) - round(sumCode * sumCode));
    if (!(determinant > 0)) continue;
    let ownScale = round(round(round(sumWeight * sumProduct) - round(sumValue * sumCode)) / determinant);
    let ownShift = round(round(round(sumSquare * sumValue) - round(sumCode * sumProduct)) / determinant);
    if (ownShift > 0) {
      ownShift = 0;
      ownScale = round(sumProduct / sumSquare);
    }
    const error = errorOf(x, at, count, trial, 0, weights, weightsAt, ownScale, ownShift, absolute);
    if (error < best) {
      codes.set(trial.subarray(0, count), codesAt);
      best = error;
      scale = ownScale;
      shift = ownShift;
    }
  }
  found.scale = scale;
  found.least = -shift;
}

const clampedTop = (code: number, max: number): number => (code > max ? max : code);

/**
 * Codes 0 … max for numbers that are at least 0, such as the scales of sub-blocks: nine scales are tried, then single codes
 * changed while that lowers the weighted error, at most 5 rounds.
 *
 * @returns the scale
 */
export function searchPositive(x: Float32Array, count: number, max: number, codes: Uint8Array, weights: Float32Array): number {
  let high = 0;
  for (let i = 0; i < count; i += 1) high = Math.max(high, x[i]!);
  if (high < smallest) {
    codes.fill(0, 0, count);
    return 0;
  }
  const errorAt = (inverse: number, top: number): number => {
    const scale = round(1 / inverse);
    let sum = 0;
    for (let i = 0; i < count; i += 1) {
      const code = clampedTop(nearest(round(inverse * x[i]!)), top);
      const difference = round(x[i]! - round(scale * code));
      sum = round(sum + round(round(weights[i]! * difference) * difference));
    }
    return sum;
  };
  let inverse = round(max / high);
  let best = errorAt(inverse, 255);
  for (let step = -4; step <= 4; step += 1) {
    if (step === 0) continue;
    const own = round(round(round(round(0.1) * step) + max) / high);
    const error = errorAt(own, max);
    if (error < best) {
      best = error;
      inverse = own;
    }
  }
  let byValue = 0;
  let byCode = 0;
  for (let i = 0; i < count; i += 1) {
    const code = clampedTop(nearest(round(inverse * x[i]!)), max);
    codes[i] = code;
    const weight = weights[i]!;
    byValue = round(byValue + round(round(weight * x[i]!) * code));
    byCode = round(byCode + round(round(weight * code) * code));
  }
  for (let turn = 0; turn < 5; turn += 1) {
    let changed = false;
    for (let i = 0; i < count; i += 1) {
      const weight = weights[i]!;
      const code = codes[i]!;
      const weighted = round(weight * x[i]!);
      let one = round(byValue - round(weighted * code));
      let other = round(byCode - round(round(weight * code) * code));
      if (!(one > 0 && other > 0)) continue;
      const next = clampedTop(nearest(round(round(x[i]! * other) / one)), max);
      if (next === code) continue;
      one = round(one + round(weighted * next));
      other = round(other + round(round(weight * next) * next));
      if (round(round(one * one) * byCode) > round(round(byValue * byValue) * other)) {
        codes[i] = next;
        byValue = one;
        byCode = other;
        changed = true;
      }
    }
    if (!changed) break;
  }
  return byCode > 0 ? round(byValue / byCode) : 0;
}
