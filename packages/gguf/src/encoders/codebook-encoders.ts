import { createNearestPoints, nearestOdd, roundTo } from "@mbs/numbers";
import { signedSizes, superColumns, type Codebook } from "../codebooks/codebooks.ts";
import { nearestTables } from "../codebooks/point-tables.ts";
import type { BlockEncoder } from "./block-encoder.ts";

/** The largest whole number of a sub-block's scale. */
const mostScale = 31;
/** The least half-precision number above zero. */
const leastHalf = 2 ** -24;

/** Shares of a sub-block's largest size that the largest size of points is tried for. */
const shares = [1.12, 0.98, 0.85, 0.74, 0.64];

const half = (value: number): number => roundTo("f16", Float32Array.of(value))[0]!;

/** The search of one type, and what it works on. */
function createFit(codebook: Codebook): BlockEncoder["fit"] {
  const { subColumns, sizes, unit } = codebook;
  const nearest = createNearestPoints(nearestTables(codebook));
  const { values, weights, codes: tried } = nearest;
  const subs = superColumns / subColumns;
  const levels = signedSizes(codebook);
  const top = sizes.at(-1)!;
  const ones = new Float32Array(superColumns).fill(1);
  const wanted = new Float64Array(subs);
  const numbers = new Int16Array(subs);
  const kept = new Uint8Array(superColumns);

  /** Σ weight·x·level and Σ weight·level² of some columns' codes. */
  const sums = { product: 0, square: 0 };
  function addUp(codes: Uint8Array, from: number, to: number): void {
    let [product, square] = [0, 0];
    for (let column = from; column < to; column += 1) {
      const level = levels[codes[column]!]!;
      const weighted = weights[column]! * level;
      product += weighted * values[column]!;
      square += weighted * level;
    }
    sums.product = product;
    sums.square = square;
  }

  /** The scale of one sub-block with the least error of those tried: for each share the best for the points that it gives. */
  function searchScale(from: number): number {
    let largest = 0;
    for (let column = from; column < from + subColumns; column += 1) largest = Math.max(largest, Math.abs(values[column]!));
    if (largest === 0) return 0;
    let [scale, best] = [0, 0];
    const consider = (tryScale: number): void => {
      nearest.find(from, tryScale, Infinity);
      addUp(tried, from, from + subColumns);
      const gain = (sums.product * sums.product) / sums.square;
      if (!(sums.product > 0 && gain > best)) return;
      best = gain;
      scale = sums.product / sums.square;
    };
    for (const share of shares) consider((share * largest) / top);
    if (scale > 0) consider(scale);
    return scale;
  }

  /** Chooses the codes of a sub-block with the best of some numbers, into `numbers` and `kept`. @returns the loss */
  function chooseNumber(sub: number, d: number, from: number, to: number): number {
    const first = sub * subColumns;
    let least = Infinity;
    for (let number = Math.max(from, 1); number <= Math.min(to, mostScale); number += 2) {
      const loss = nearest.find(first, d * number, least);
      if (loss >= least) continue;
      least = loss;
      numbers[sub] = number;
      kept.set(tried.subarray(first, first + subColumns), first);
    }
    return least;
  }

  /** The number of a sub-block whose scale is nearest to the wanted one. */
  const numberNear = (sub: number, d: number): number => nearestOdd(wanted[sub]! / d, mostScale);

  /** d as the best for numbers and codes. */
  function refit(): number {
    let [product, square] = [0, 0];
    for (let sub = 0; sub < subs; sub += 1) {
      const number = numbers[sub]!;
      addUp(kept, sub * subColumns, (sub + 1) * subColumns);
      product += number * sums.product;
      square += number * number * sums.square;
    }
    return product > 0 ? product / square : 0;
  }

  /** In half precision times the unit, and not zero. */
  const stored = (d: number): number => unit * Math.max(half(d / unit), leastHalf);

  return (x, at, { codes, scales, subScales }, block, importance) => {
    values.set(x.subarray(at, at + superColumns));
    weights.set(importance === undefined ? ones : importance.subarray(at, at + superColumns));
    let [largest, power] = [0, 0];
    for (let column = 0; column < superColumns; column += 1) power += weights[column]! * values[column]! * values[column]!;
    for (let sub = 0; sub < subs; sub += 1) {
      wanted[sub] = searchScale(sub * subColumns);
      largest = Math.max(largest, wanted[sub]!);
    }
    const put = (d: number): void => {
      scales[block] = d;
      subScales.set(numbers, block * subs);
      codes.set(kept, block * superColumns);
    };
    const d = stored(largest / mostScale);
    if (largest === 0 || d === Infinity) {
      numbers.fill(largest === 0 ? 1 : mostScale);
      kept.fill(sizes.length);
      return put(largest === 0 ? 0 : d);
    }
    let loss = 0;
    for (let sub = 0; sub < subs; sub += 1) {
      const near = numberNear(sub, d);
      loss += chooseNumber(sub, d, near - 2, near + 2);
    }
    // without a code for 0, values far below the least scale are better off with none
    put(loss < power ? d : 0);
    const better = stored(refit());
    if (better === d) return;
    let other = 0;
    for (let sub = 0; sub < subs; sub += 1) other += chooseNumber(sub, better, numbers[sub]!, numbers[sub]!);
    if (other < Math.min(loss, power)) put(better);
  };
}

/**
 * The encoder of a codebook type. It looks for the least Σ importance · error², not for ggml's bytes: ggml tries points near to the
 * values, this one compares all.
 */
export function codebookEncoder(codebook: Codebook): BlockEncoder {
  let fit: BlockEncoder["fit"] | undefined;
  return {
    values: superColumns,
    subBlocks: superColumns / codebook.subColumns,
    // kernels are made for those who write such a type
    fit: (...given) => (fit ??= createFit(codebook))(...given),
  };
}
