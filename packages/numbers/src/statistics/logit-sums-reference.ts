import type { LogitSums, LogitTerms } from "./logit-sums.ts";

const { fround } = Math;

/** Columns whose terms are added in float32, every fourth to the same sum, before float64 takes them. */
const block = 32;

/** A little above what exp makes no normal number of float32 of. */
const least = -86;
const perLn2 = fround(1.44269504);
/** Adding 1.5·2^23 rounds to a whole number, ties to even. */
const wholeShift = 12582912;
/** 2^f = 1 + f·(c1 + f·(c2 + …)) for |f| ≤ 1/2: from the highest. */
const coefficients = [
  0.00015353361959569156, 0.0013398873852565885, 0.00961843691766262, 0.055503323674201965, 0.24022647738456726,
  0.6931471824645996, 1,
];

/** exp of numbers from `least` to 0, each operation rounded to float32. */
function exp(x: number): number {
  const t = fround(x * perLn2);
  const k = fround(fround(t + wholeShift) - wholeShift);
  const f = fround(t - k);
  return coefficients.reduce((sum, coefficient) => fround(fround(sum * f) + coefficient)) * 2 ** k;
}

const sumOf = (sums: Float32Array): number => sums[0]! + sums[2]! + (sums[1]! + sums[3]!);

/** What no more than `block` columns add. */
function termsOf(first: Float32Array, second: Float32Array, mostFirst: number, mostSecond: number): LogitTerms {
  const [ofFirst, ofSecond, difference] = [new Float32Array(4), new Float32Array(4), new Float32Array(4)];
  for (const [index, logit] of first.entries()) {
    const x = Math.max(fround(logit - mostFirst), least);
    const y = fround(second[index]! - mostSecond);
    ofFirst[index % 4]! += exp(x);
    ofSecond[index % 4]! += exp(Math.max(y, least));
    difference[index % 4]! += fround(exp(x) * fround(x - y));
  }
  return { first: sumOf(ofFirst), second: sumOf(ofSecond), difference: sumOf(difference) };
}

/** The plain form of `createLogitSums`. */
export function createReferenceLogitSums(size: number): LogitSums {
  const logits = { first: new Float32Array(size), second: new Float32Array(size) };
  const { first, second } = logits;
  return {
    first,
    second,
    largest: (side, from, to) => logits[side].subarray(from, to).reduce((a, b) => (a < b ? b : a), -Infinity),
    sums(from, to, mostFirst, mostSecond) {
      const sum = { first: 0, second: 0, difference: 0 };
      for (let start = from; start < to; start += block) {
        const end = Math.min(start + block, to);
        const terms = termsOf(first.subarray(start, end), second.subarray(start, end), mostFirst, mostSecond);
        sum.first += terms.first;
        sum.second += terms.second;
        sum.difference += terms.difference;
      }
      return sum;
    },
  };
}
