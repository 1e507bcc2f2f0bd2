// Finds the points of a codebook that are nearest to the values of a sub-block. src/grids/nearest-points-reference.ts is its plain
// form, with the same bits.
//
// Legend:
//   X, W values and weights of a super-block, float32   C codes, bytes
//   F first halves of points, bytes   G where the second halves of each begin, uint16   S second halves, bytes   Z sizes, bytes
//   B float64: costs of the low and high part of a half and what a turned sign adds to them [4, 16], then the same of the first and
//   second halves [4, 96]

const lowCost: usize = 0;
const highCost: usize = 128;
const lowTurned: usize = 256;
const highTurned: usize = 384;
const firstCost: usize = 512;
const secondCost: usize = 1280;
const firstTurned: usize = 2048;
const secondTurned: usize = 2816;

/** The halves of the best point, and of the best one of those with a turned sign. */
let straightLoss: f64 = 0;
let straightFirst: i32 = 0;
let straightSecond: i32 = 0;
let turnedLoss: f64 = 0;
let turnedFirst: i32 = 0;
let turnedSecond: i32 = 0;

function f(address: usize, index: i32): f64 {
  return load<f64>(address + ((<usize>index) << 3));
}

function setF(address: usize, index: i32, value: f64): void {
  store<f64>(address + ((<usize>index) << 3), value);
}

function addPart(X: usize, W: usize, Z: usize, at: i32, scale: f64, count: i32, width: i32, cost: usize, added: usize): void {
  const value = Math.abs(<f64>load<f32>(X + ((<usize>at) << 2)));
  const weight = <f64>load<f32>(W + ((<usize>at) << 2));
  for (let size = 0; size < count; size += 1) {
    const level = scale * <f64>load<u8>(Z + <usize>size);
    const error = value - level;
    setF(cost, size, weight * error * error);
    setF(added, size, 4 * weight * value * level);
  }
  if (width < 8) return;
  const other = Math.abs(<f64>load<f32>(X + ((<usize>(at + 1)) << 2)));
  const otherWeight = <f64>load<f32>(W + ((<usize>(at + 1)) << 2));
  for (let size = count - 1; size >= 0; size -= 1) {
    const level = scale * <f64>load<u8>(Z + <usize>size);
    const error = other - level;
    const loss = otherWeight * error * error;
    const turn = 4 * otherWeight * other * level;
    for (let low = 0; low < count; low += 1) {
      const to = size * count + low;
      setF(added, to, f(added, low) < turn ? f(added, low) : turn);
      setF(cost, to, f(cost, low) + loss);
    }
  }
}

/** Costs of the halves that begin at column `at`. @returns the least */
function addHalf(
  X: usize,
  W: usize,
  Z: usize,
  B: usize,
  at: i32,
  scale: f64,
  count: i32,
  width: i32,
  turns: bool,
  cost: usize,
  added: usize,
): f64 {
  addPart(X, W, Z, at, scale, count, width, B + lowCost, B + lowTurned);
  addPart(X, W, Z, at + (width >> 2), scale, count, width, B + highCost, B + highTurned);
  const parts = width == 8 ? count * count : count;
  let least = Infinity;
  let to = 0;
  for (let high = 0; high < parts; high += 1) {
    const own = f(B + highCost, high);
    for (let low = 0; low < parts; low += 1) {
      const sum = own + f(B + lowCost, low);
      setF(cost, to, sum);
      if (sum < least) least = sum;
      to += 1;
    }
  }
  if (!turns) return least;
  to = 0;
  for (let high = 0; high < parts; high += 1) {
    const own = f(B + highTurned, high);
    for (let low = 0; low < parts; low += 1) {
      const other = f(B + lowTurned, low);
      setF(added, to, other < own ? other : own);
      to += 1;
    }
  }
  return least;
}

/** The best points by the costs that were added up. */
function choose(F: usize, G: usize, S: usize, B: usize, firsts: i32, leastSecond: f64, turns: bool): void {
  straightLoss = Infinity;
  turnedLoss = Infinity;
  let limit = Infinity;
  for (let place = 0; place < firsts; place += 1) {
    const first = <i32>load<u8>(F + <usize>place);
    const own = f(B + firstCost, first);
    if (own + leastSecond >= limit) continue;
    const end = <i32>load<u16>(G + ((<usize>(place + 1)) << 1));
    for (let index = <i32>load<u16>(G + ((<usize>place) << 1)); index < end; index += 1) {
      const second = <i32>load<u8>(S + <usize>index);
      const loss = own + f(B + secondCost, second);
      if (loss >= limit) continue;
      if (loss < straightLoss) {
        straightLoss = loss;
        straightFirst = first;
        straightSecond = second;
        if (!turns) limit = loss;
      }
      if (!turns) continue;
      const ofFirst = f(B + firstTurned, first);
      const ofSecond = f(B + secondTurned, second);
      const sum = loss + (ofFirst < ofSecond ? ofFirst : ofSecond);
      if (sum >= limit) continue;
      limit = sum;
      turnedLoss = sum;
      turnedFirst = first;
      turnedSecond = second;
    }
  }
}

/** Codes of a point from column `at` on, their signs those of the values. */
function put(X: usize, C: usize, at: i32, count: i32, width: i32, first: i32, second: i32): void {
  let number = first;
  for (let column = 0; column < width; column += 1) {
    if (column == width >> 1) number = second;
    const size = number % count;
    number = number / count;
    const isNegative = load<f32>(X + ((<usize>(at + column)) << 2)) < 0;
    store<u8>(C + <usize>(at + column), <u8>(isNegative ? count - 1 - size : count + size));
  }
}

/** Turns the sign that costs least. */
function turn(X: usize, W: usize, C: usize, Z: usize, at: i32, count: i32, width: i32): void {
  let best = at;
  let least = Infinity;
  for (let column = at; column < at + width; column += 1) {
    const code = <i32>load<u8>(C + <usize>column);
    const size = <f64>load<u8>(Z + <usize>(code < count ? count - 1 - code : code - count));
    const weight = <f64>load<f32>(W + ((<usize>column) << 2));
    const loss = weight * Math.abs(<f64>load<f32>(X + ((<usize>column) << 2))) * size;
    if (loss >= least) continue;
    best = column;
    least = loss;
  }
  store<u8>(C + <usize>best, <u8>(2 * count - 1 - <i32>load<u8>(C + <usize>best)));
}

function isOdd(X: usize, at: i32): bool {
  let negatives = 0;
  for (let column = at; column < at + 8; column += 1) if (load<f32>(X + ((<usize>column) << 2)) < 0) negatives += 1;
  return (negatives & 1) == 1;
}

/**
 * @param at first column, and how many `columns` there are
 * @param count sizes
 * @param firsts how many first halves there are
 * @param width columns of a point
 * @param even whether of eight signs an even count is negative
 */
export function findNearest(
  X: usize,
  W: usize,
  C: usize,
  F: usize,
  G: usize,
  S: usize,
  Z: usize,
  B: usize,
  at: i32,
  columns: i32,
  count: i32,
  firsts: i32,
  width: i32,
  even: i32,
  scale: f64,
  limit: f64,
): f64 {
  let total: f64 = 0;
  for (let eight = at; eight < at + columns; eight += 8) {
    const turns = even != 0 && isOdd(X, eight);
    let best = 0;
    let bestFirst = 0;
    let bestSecond = 0;
    let added = Infinity;
    for (let point = eight; point < eight + 8; point += width) {
      addHalf(X, W, Z, B, point, scale, count, width, turns, B + firstCost, B + firstTurned);
      const half = point + (width >> 1);
      const leastSecond = addHalf(X, W, Z, B, half, scale, count, width, turns, B + secondCost, B + secondTurned);
      choose(F, G, S, B, firsts, leastSecond, turns);
      put(X, C, point, count, width, straightFirst, straightSecond);
      total += straightLoss;
      if (!turns || turnedLoss - straightLoss >= added) continue;
      added = turnedLoss - straightLoss;
      best = point;
      bestFirst = turnedFirst;
      bestSecond = turnedSecond;
    }
    if (turns) {
      total += added;
      put(X, C, best, count, width, bestFirst, bestSecond);
      turn(X, W, C, Z, best, count, width);
    }
    if (total >= limit) return Infinity;
  }
  return total;
}
