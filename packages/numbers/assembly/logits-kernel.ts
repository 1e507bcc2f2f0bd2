// Sums over a row of two models' logits, in SIMD. src/statistics/logit-sums-reference.ts is its plain form, which gives the same bits.
//
// Legend: n columns of the row.
//   P, Q [n] logits of the first and the second model, float32; at least 12 bytes behind them can be read
//   O [3] what is found, float64

/** Columns whose terms are added in float32, every fourth to the same sum, before float64 takes them. */
const block: i32 = 32;

/** A little above what exp makes no normal number of float32 of (-87.3), with which processors take ten times as long. */
const least: f32 = -86;
/** 1 / ln 2 */
const perLn2: f32 = 1.44269504;
/** Adding 1.5·2^23 rounds to a whole number, ties to even, which then stands in the lowest bits. */
const wholeShift: f32 = 12582912;

/** 2^f = 1 + f·(c1 + f·(c2 + …)) for |f| ≤ 1/2, whose largest relative error is 2e-8. */
const c1: f32 = 0.6931471824645996;
const c2: f32 = 0.24022647738456726;
const c3: f32 = 0.055503323674201965;
const c4: f32 = 0.00961843691766262;
const c5: f32 = 0.0013398873852565885;
const c6: f32 = 0.00015353361959569156;

/** All bits of the lanes of four columns that a row of n has. */
function lanesOf(column: i32, n: i32): v128 {
  return i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(n - column));
}

/** The largest logit of a row; NaN is none. */
export function largest(P: usize, n: i32): f32 {
  const none = f32x4.splat(-Infinity);
  let m0 = none;
  let m1 = none;
  let m2 = none;
  let m3 = none;
  let column = 0;
  for (; column + 16 <= n; column += 16) {
    const at: usize = P + ((<usize>column) << 2);
    m0 = f32x4.pmax(m0, v128.load(at, 0));
    m1 = f32x4.pmax(m1, v128.load(at, 16));
    m2 = f32x4.pmax(m2, v128.load(at, 32));
    m3 = f32x4.pmax(m3, v128.load(at, 48));
  }
  for (; column < n; column += 4) {
    const logits = v128.load(P + ((<usize>column) << 2));
    m0 = f32x4.pmax(m0, v128.bitselect(logits, none, lanesOf(column, n)));
  }
  const most = f32x4.pmax(f32x4.pmax(m0, m1), f32x4.pmax(m2, m3));
  const low = max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1));
  const high = max(f32x4.extract_lane(most, 2), f32x4.extract_lane(most, 3));
  return max(low, high);
}

/** Four sums in float64. */
function sumOf(x: v128): f64 {
  const low = f64x2.promote_low_f32x4(x);
  const high = f64x2.promote_low_f32x4(i32x4.shuffle(x, x, 2, 3, 2, 3));
  const sum = f64x2.add(low, high);
  return f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1);
}

/** With x and y the logits less p and q: Σ exp(x), Σ exp(y) and Σ exp(x)·(x - y). */
export function sumLogits(P: usize, Q: usize, n: i32, p: f32, q: f32, O: usize): void {
  const floor = f32x4.splat(least);
  const shift = f32x4.splat(wholeShift);
  const bias = i32x4.splat(127);
  let ofP: f64 = 0;
  let ofQ: f64 = 0;
  let ofDifference: f64 = 0;
  for (let start = 0; start < n; start += block) {
    const end = min(start + block, n);
    let sumP = f32x4.splat(0);
    let sumQ = sumP;
    let sumDifference = sumP;
    for (let column = start; column < end; column += 4) {
      const at: usize = (<usize>column) << 2;
      const x = f32x4.pmax(f32x4.sub(v128.load(P + at), f32x4.splat(p)), floor);
      const y = f32x4.sub(v128.load(Q + at), f32x4.splat(q));
      // exp of both, written out: calls take as long as the rest. t = x / ln 2 = k + f, where k is a whole number
      const tx = f32x4.mul(x, f32x4.splat(perLn2));
      const ty = f32x4.mul(f32x4.pmax(y, floor), f32x4.splat(perLn2));
      const kx = f32x4.add(tx, shift);
      const ky = f32x4.add(ty, shift);
      const fx = f32x4.sub(tx, f32x4.sub(kx, shift));
      const fy = f32x4.sub(ty, f32x4.sub(ky, shift));
      let a = f32x4.add(f32x4.mul(f32x4.splat(c6), fx), f32x4.splat(c5));
      let b = f32x4.add(f32x4.mul(f32x4.splat(c6), fy), f32x4.splat(c5));
      a = f32x4.add(f32x4.mul(a, fx), f32x4.splat(c4));
      b = f32x4.add(f32x4.mul(b, fy), f32x4.splat(c4));
      a = f32x4.add(f32x4.mul(a, fx), f32x4.splat(c3));
      b = f32x4.add(f32x4.mul(b, fy), f32x4.splat(c3));
      a = f32x4.add(f32x4.mul(a, fx), f32x4.splat(c2));
      b = f32x4.add(f32x4.mul(b, fy), f32x4.splat(c2));
      a = f32x4.add(f32x4.mul(a, fx), f32x4.splat(c1));
      b = f32x4.add(f32x4.mul(b, fy), f32x4.splat(c1));
      a = f32x4.add(f32x4.mul(a, fx), f32x4.splat(1));
      b = f32x4.add(f32x4.mul(b, fy), f32x4.splat(1));
      // k + 127 is the exponent of 2^k; all above the lowest 9 bits of `kx` is shifted out
      a = f32x4.mul(a, i32x4.shl(i32x4.add(kx, bias), 23));
      b = f32x4.mul(b, i32x4.shl(i32x4.add(ky, bias), 23));
      let c = f32x4.mul(a, f32x4.sub(x, y));
      if (column + 4 > n) {
        const lanes = lanesOf(column, n);
        a = v128.and(a, lanes);
        b = v128.and(b, lanes);
        c = v128.and(c, lanes);
      }
      sumP = f32x4.add(sumP, a);
      sumQ = f32x4.add(sumQ, b);
      sumDifference = f32x4.add(sumDifference, c);
    }
    ofP += sumOf(sumP);
    ofQ += sumOf(sumQ);
    ofDifference += sumOf(sumDifference);
  }
  store<f64>(O, ofP, 0);
  store<f64>(O, ofQ, 8);
  store<f64>(O, ofDifference, 16);
}
