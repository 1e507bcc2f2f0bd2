import { createNearestPoints, nearestOdd, roundTo } from "@mbs/numbers";
import { signedSizes, superColumns, type Codebook } from "../codebooks/codebooks.ts";
import { nearestTables } from "../codebooks/point-tables.ts";
import type { BlockCodes } from "../packing/block-codes.ts";
import type { BlockEncoder } from "./block-encoder.ts";

/** The largest whole number of a sub-block's scale. */
const mostScale = 31;
/** The least half-precision number above zero. */
const leastHalf = 2 ** -24;

/** Shares of a sub-block's largest size that the largest size of points is tried for. */
const shares = [1.12, 0.98, 0.85, 0.74, 0.64];

const half = (value: number): number => roundTo("f16", Float32Array.of(value))[0]!;

/** Σ weight·x·level and Σ weight·level² of some columns' codes. */
interface Sums {
  product: number;
  square: number;
}

/** The search of one type, and what it works on: one super-block at a time. */
class CodebookFit {
  readonly #subColumns: number;
  readonly #subs: number;
  /** What scales are multiples of, in half precision. */
  readonly #unit: number;
  /** The code of the least size above zero. */
  readonly #smallest: number;
  /** The largest size. */
  readonly #top: number;
  readonly #levels: ReturnType<typeof signedSizes>;
  readonly #nearest: ReturnType<typeof createNearestPoints>;
  readonly #ones = new Float32Array(superColumns).fill(1);
  /** The best scale of each sub-block by itself. */
  readonly #wanted: Float64Array;
  /** The whole number of each sub-block's scale, and the codes, that were chosen last. */
  readonly #numbers: Int16Array;
  readonly #kept = new Uint8Array(superColumns);
  readonly #sums: Sums = { product: 0, square: 0 };

  constructor(codebook: Codebook) {
    const { subColumns, sizes, unit } = codebook;
    this.#subColumns = subColumns;
    this.#subs = superColumns / subColumns;
    this.#unit = unit;
    this.#smallest = sizes.length;
    this.#top = sizes.at(-1)!;
    this.#levels = signedSizes(codebook);
    this.#nearest = createNearestPoints(nearestTables(codebook));
    this.#wanted = new Float64Array(this.#subs);
    this.#numbers = new Int16Array(this.#subs);
  }

  readonly fit: BlockEncoder["fit"] = (x, at, blocks, block, importance) => {
    const { values, weights } = this.#nearest;
    values.set(x.subarray(at, at + superColumns));
    weights.set(importance === undefined ? this.#ones : importance.subarray(at, at + superColumns));
    let power = 0;
    for (let column = 0; column < superColumns; column += 1) power += weights[column]! * values[column]! * values[column]!;
    const largest = this.#searchScales();
    const d = this.#stored(largest / mostScale);
    if (largest === 0 || d === Infinity) {
      this.#numbers.fill(largest === 0 ? 1 : mostScale);
      this.#kept.fill(this.#smallest);
      return this.#put(blocks, block, largest === 0 ? 0 : d);
    }
    let loss = 0;
    for (let sub = 0; sub < this.#subs; sub += 1) {
      // the number whose scale is nearest to the wanted one, and those beside it
      const near = nearestOdd(this.#wanted[sub]! / d, mostScale);
      loss += this.#chooseNumber(sub, d, near - 2, near + 2);
    }
    // without a code for 0, values far below the least scale are better off with none
    this.#put(blocks, block, loss < power ? d : 0);
    const better = this.#stored(this.#refit());
    if (better === d) return;
    let other = 0;
    for (let sub = 0; sub < this.#subs; sub += 1) {
      other += this.#chooseNumber(sub, better, this.#numbers[sub]!, this.#numbers[sub]!);
    }
    if (other < Math.min(loss, power)) this.#put(blocks, block, better);
  };

  /** In half precision times the unit, and not zero. */
  #stored(d: number): number {
    return this.#unit * Math.max(half(d / this.#unit), leastHalf);
  }

  #put({ codes, scales, subScales }: BlockCodes, block: number, d: number): void {
    scales[block] = d;
    subScales.set(this.#numbers, block * this.#subs);
    codes.set(this.#kept, block * superColumns);
  }

  /** @returns the sums, valid until the next call */
  #addUp(codes: Uint8Array, from: number, to: number): Readonly<Sums> {
    const { values, weights } = this.#nearest;
    const [levels, sums] = [this.#levels, this.#sums];
    let [product, square] = [0, 0];
    for (let column = from; column < to; column += 1) {
      const level = levels[codes[column]!]!;
      const weighted = weights[column]! * level;
      product += weighted * values[column]!;
      square += weighted * level;
    }
    sums.product = product;
    sums.square = square;
    return sums;
  }

  /** Fills `wanted`. @returns the largest of them */
  #searchScales(): number {
    let largest = 0;
    for (let sub = 0; sub < this.#subs; sub += 1) {
      const scale = this.#searchScale(sub * this.#subColumns);
      this.#wanted[sub] = scale;
      largest = Math.max(largest, scale);
    }
    return largest;
  }

  /** The scale of one sub-block with the least error of those tried: for each share the best for the points that it gives. */
  #searchScale(from: number): number {
    const nearest = this.#nearest;
    const end = from + this.#subColumns;
    let largest = 0;
    for (let column = from; column < end; column += 1) largest = Math.max(largest, Math.abs(nearest.values[column]!));
    if (largest === 0) return 0;
    let [scale, best] = [0, 0];
    const consider = (tryScale: number): void => {
      nearest.find(from, tryScale, Infinity);
      const { product, square } = this.#addUp(nearest.codes, from, end);
      const gain = (product * product) / square;
      if (!(product > 0 && gain > best)) return;
      best = gain;
      scale = product / square;
    };
    for (const share of shares) consider((share * largest) / this.#top);
    if (scale > 0) consider(scale);
    return scale;
  }

  /** Chooses the codes of a sub-block with the best of some numbers, into `numbers` and `kept`. @returns the loss */
  #chooseNumber(sub: number, d: number, from: number, to: number): number {
    const nearest = this.#nearest;
    const first = sub * this.#subColumns;
    let least = Infinity;
    for (let number = Math.max(from, 1); number <= Math.min(to, mostScale); number += 2) {
      const loss = nearest.find(first, d * number, least);
      if (loss >= least) continue;
      least = loss;
      this.#numbers[sub] = number;
      this.#kept.set(nearest.codes.subarray(first, first + this.#subColumns), first);
    }
    return least;
  }

  /** d as the best for numbers and codes. */
  #refit(): number {
    let [total, totalSquare] = [0, 0];
    for (let sub = 0; sub < this.#subs; sub += 1) {
      const number = this.#numbers[sub]!;
      const { product, square } = this.#addUp(this.#kept, sub * this.#subColumns, (sub + 1) * this.#subColumns);
      total += number * product;
      totalSquare += number * number * square;
    }
    return total > 0 ? total / totalSquare : 0;
  }
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
    fit: (...given) => (fit ??= new CodebookFit(codebook).fit)(...given),
  };
}
