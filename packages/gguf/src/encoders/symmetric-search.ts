import { nearest } from "./float-rounding.ts";

/*
 * Scales of symmetric codes, -max … max - 1. All sums and products are rounded to float32 in ggml's order, so that the same
 * codes come out.
 *
 * Legend: `x` values, from `at` on, `count` of them; `weights` what the squared error of each value counts, from `weightsAt` on,
 * or none, which stands for x²; `codes` receives the codes plus `max`, from `codesAt` on.
 */

const round = Math.fround;

/** Below this, ggml takes values for zeros. */
export const smallest = round(1e-15);

/** The value that is largest in size, with its sign: the first of several. */
export function largest(x: Float32Array, at: number, count: number): number {
  let found = 0;
  let size = 0;
  for (let i = at; i < at + count; i += 1) {
    const value = x[i]!;
    const own = Math.abs(value);
    if (own > size) {
      size = own;
      found = value;
    }
  }
  return found;
}

const clamped = (code: number, max: number): number => (code < -max ? -max : code > max - 1 ? max - 1 : code);

/** The weighted products of a rounding with the values, and with itself. */
let sumCodeValue = 0;
let sumCodeCode = 0;

function measure(
  x: Float32Array,
  at: number,
  count: number,
  max: number,
  inverse: number,
  weights: Float32Array | undefined,
  weightsAt: number,
): void {
  let one = 0;
  let other = 0;
  for (let i = 0; i < count; i += 1) {
    const value = x[at + i]!;
    const code = clamped(nearest(round(inverse * value)), max);
    const weight = weights === undefined ? round(value * value) : weights[weightsAt + i]!;
    one = round(one + round(round(weight * value) * code));
    other = round(other + round(round(weight * code) * code));
  }
  sumCodeValue = one;
  sumCodeCode = other;
}

function putCodes(
  x: Float32Array,
  at: number,
  count: number,
  max: number,
  inverse: number,
  codes: Uint8Array,
  codesAt: number,
): void {
  for (let i = 0; i < count; i += 1) codes[codesAt + i] = max + clamped(nearest(round(inverse * x[at + i]!)), max);
}

/** Tries 19 scales around the one that maps the largest value to -max, and takes the one with the least weighted error. @returns the scale */
export function searchSymmetric(
  x: Float32Array,
  at: number,
  count: number,
  max: number,
  codes: Uint8Array,
  codesAt: number,
  weights: Float32Array | undefined,
  weightsAt: number,
): number {
  const extreme = largest(x, at, count);
  if (Math.abs(extreme) < smallest) {
    codes.fill(0, codesAt, codesAt + count);
    return 0;
  }
  let chosen = round(-max / extreme);
  measure(x, at, count, max, chosen, weights, weightsAt);
  let scale = sumCodeCode === 0 ? 0 : round(sumCodeValue / sumCodeCode);
  let best = round(scale * sumCodeValue);
  for (let step = -9; step <= 9; step += 1) {
    if (step === 0) continue;
    const inverse = round(-round(max + round(round(0.1) * step)) / extreme);
    measure(x, at, count, max, inverse, weights, weightsAt);
    if (sumCodeCode > 0 && round(sumCodeValue * sumCodeValue) > round(best * sumCodeCode)) {
      chosen = inverse;
      scale = round(sumCodeValue / sumCodeCode);
      best = round(scale * sumCodeValue);
    }
  }
  putCodes(x, at, count, max, chosen, codes, codesAt);
  return scale;
}

/** Rounds once, then changes single codes while that lowers the error weighted by x²: at most 5 rounds. @returns the scale */
export function refineSymmetric(
  x: Float32Array,
  at: number,
  count: number,
  max: number,
  codes: Uint8Array,
  codesAt: number,
): number {
  const extreme = largest(x, at, count);
  if (Math.abs(extreme) < smallest) {
    codes.fill(0, codesAt, codesAt + count);
    return 0;
  }
  const inverse = round(-max / extreme);
  measure(x, at, count, max, inverse, undefined, 0);
  putCodes(x, at, count, max, inverse, codes, codesAt);
  let byValue = sumCodeValue;
  let byCode = sumCodeCode;
  for (let turn = 0; turn < 5; turn += 1) {
    let changed = false;
    for (let i = 0; i < count; i += 1) {
      const value = x[at + i]!;
      const code = codes[codesAt + i]! - max;
      const weight = round(value * value);
      const weighted = round(weight * value);
      let one = round(byValue - round(weighted * code));
      if (!(one > 0)) continue;
      let other = round(byCode - round(round(weight * code) * code));
      const next = clamped(nearest(round(round(value * other) / one)), max);
      if (next === code) continue;
      one = round(one + round(weighted * next));
      other = round(other + round(round(weight * next) * next));
      if (other > 0 && round(round(one * one) * byCode) > round(round(byValue * byValue) * other)) {
        codes[codesAt + i] = next + max;
        byValue = one;
        byCode = other;
        changed = true;
      }
    }
    if (!changed) break;
  }
  return byCode > 0 ? round(byValue / byCode) : 0;
}
