/** The points of a codebook, in halves that numbers name: the number of the first column's size counts least. */
export interface NearestTables {
  /** Columns of a point: 8 or 4. */
  readonly width: number;
  /** Columns that share a scale, a multiple of 8. */
  readonly columns: number;
  /** What the sizes in points stand for, rising. */
  readonly sizes: Uint8Array;
  /** Whether of each eight signs an even count is negative. */
  readonly evenSigns: boolean;
  /** The first halves that points have, rising. */
  readonly firsts: Uint8Array;
  /** Where the second halves of each first one begin in `seconds`, and where the last ones end. */
  readonly starts: Uint16Array;
  readonly seconds: Uint8Array;
}

/** Columns of a super-block. */
export const superColumns = 256;

/** Finds the points that are nearest to the values of a super-block, each column with a weight of its own. */
export interface NearestPoints {
  /** To be filled, [256]. */
  readonly values: Float32Array;
  /** What squared errors count, [256]; to be filled. */
  readonly weights: Float32Array;
  /** The place of each column's size and sign among all signed sizes, rising, [256]. */
  readonly codes: Uint8Array;
  /**
   * Chooses the codes of the columns from `at` on, as many as share a scale.
   *
   * @param scale what signed sizes are multiplied with, above zero
   * @param limit gives up where the result is not below it
   * @returns Σ weight · error²; Infinity where it gave up, and then the codes are not those of anything
   */
  find(at: number, scale: number, limit: number): number;
}

/** Whether an odd count of the eight values from `at` on is negative. */
function isOdd(x: Float32Array, at: number): boolean {
  let negatives = 0;
  for (let column = at; column < at + 8; column += 1) if (x[column]! < 0) negatives += 1;
  return (negatives & 1) === 1;
}

/**
 * All points are compared, in two halves: what each half of a point costs is added up once for all points that have it, and first
 * halves that cost too much with the cheapest second one are left out.
 *
 * Signs are those of the values. Where an even count has to be negative and the values' is odd, one of the eight is turned, which costs
 * 4 · weight · |x| · scale · size: that of the column where it costs least, found along with the point.
 */
export function createNearestReference({
  width,
  columns,
  sizes,
  evenSigns,
  firsts,
  starts,
  seconds,
}: NearestTables): NearestPoints {
  const [x, weights] = [new Float32Array(superColumns), new Float32Array(superColumns)];
  const codes = new Uint8Array(superColumns);
  const count = sizes.length;
  const half = width / 2;
  const halfCount = count ** half;
  // costs of the parts of each half, of one column or two, and of the halves; and the least that one turned sign adds to them
  const partCount = width === 8 ? count * count : count;
  const [lowPart, highPart] = [new Float64Array(partCount), new Float64Array(partCount)];
  const [lowTurned, highTurned] = [new Float64Array(partCount), new Float64Array(partCount)];
  const [firstCost, secondCost] = [new Float64Array(halfCount), new Float64Array(halfCount)];
  const [firstTurned, secondTurned] = [new Float64Array(halfCount), new Float64Array(halfCount)];
  /** The halves of the best point, and of the best one of those with a turned sign. */
  const straight = { loss: 0, first: 0, second: 0 };
  const turned = { loss: 0, first: 0, second: 0 };
  const kept = { loss: 0, first: 0, second: 0 };

  /** Costs of a part that begins at column `at`. */
  function addPart(
    x: Float32Array,
    weights: Float32Array,
    at: number,
    scale: number,
    cost: Float64Array,
    added: Float64Array,
  ): void {
    const value = Math.abs(x[at]!);
    const weight = weights[at]!;
    for (let size = 0; size < count; size += 1) {
      const level = scale * sizes[size]!;
      const error = value - level;
      cost[size] = weight * error * error;
      added[size] = 4 * weight * value * level;
    }
    if (width < 8) return;
    const other = Math.abs(x[at + 1]!);
    const otherWeight = weights[at + 1]!;
    for (let size = count - 1; size >= 0; size -= 1) {
      const level = scale * sizes[size]!;
      const error = other - level;
      const loss = otherWeight * error * error;
      const turn = 4 * otherWeight * other * level;
      for (let low = 0; low < count; low += 1) {
        const to = size * count + low;
        added[to] = added[low]! < turn ? added[low]! : turn;
        cost[to] = cost[low]! + loss;
      }
    }
  }

  /** Costs of the halves that begin at column `at`. @returns the least */
  function addHalf(
    x: Float32Array,
    weights: Float32Array,
    at: number,
    scale: number,
    turns: boolean,
    cost: Float64Array,
    added: Float64Array,
  ): number {
    addPart(x, weights, at, scale, lowPart, lowTurned);
    addPart(x, weights, at + (half >> 1), scale, highPart, highTurned);
    let least = Infinity;
    for (let high = 0, to = 0; high < partCount; high += 1) {
      const own = highPart[high]!;
      for (let low = 0; low < partCount; low += 1, to += 1) {
        const sum = own + lowPart[low]!;
        cost[to] = sum;
        if (sum < least) least = sum;
      }
    }
    if (!turns) return least;
    for (let high = 0, to = 0; high < partCount; high += 1) {
      const own = highTurned[high]!;
      for (let low = 0; low < partCount; low += 1, to += 1) added[to] = lowTurned[low]! < own ? lowTurned[low]! : own;
    }
    return least;
  }

  /** The best points by the costs that were added up. @param turns whether to find `turned` too */
  function choose(leastSecond: number, turns: boolean): void {
    straight.loss = Infinity;
    turned.loss = Infinity;
    // no point with a turned sign costs less than the same without
    let limit = Infinity;
    for (let place = 0; place < firsts.length; place += 1) {
      const first = firsts[place]!;
      const own = firstCost[first]!;
      if (own + leastSecond >= limit) continue;
      const end = starts[place + 1]!;
      for (let index = starts[place]!; index < end; index += 1) {
        const second = seconds[index]!;
        const loss = own + secondCost[second]!;
        if (loss >= limit) continue;
        if (loss < straight.loss) {
          straight.loss = loss;
          straight.first = first;
          straight.second = second;
          if (!turns) limit = loss;
        }
        if (!turns) continue;
        const sum = loss + (firstTurned[first]! < secondTurned[second]! ? firstTurned[first]! : secondTurned[second]!);
        if (sum >= limit) continue;
        limit = sum;
        turned.loss = sum;
        turned.first = first;
        turned.second = second;
      }
    }
  }

  /** Codes of a point from column `at` on, their signs those of the values. */
  function put(x: Float32Array, at: number, { first, second }: Readonly<typeof straight>, codes: Uint8Array): void {
    let number = first;
    for (let column = 0; column < width; column += 1) {
      if (column === half) number = second;
      const size = number % count;
      number = (number - size) / count;
      codes[at + column] = x[at + column]! < 0 ? count - 1 - size : count + size;
    }
  }

  /** Turns the sign that costs least. */
  function turn(x: Float32Array, weights: Float32Array, at: number, codes: Uint8Array): void {
    let [best, least] = [at, Infinity];
    for (let column = at; column < at + width; column += 1) {
      const code = codes[column]!;
      const loss = weights[column]! * Math.abs(x[column]!) * sizes[code < count ? count - 1 - code : code - count]!;
      if (loss < least) [best, least] = [column, loss];
    }
    codes[best] = 2 * count - 1 - codes[best]!;
  }

  return {
    values: x,
    weights,
    codes,
    find(at, scale, limit) {
      let total = 0;
      for (let eight = at; eight < at + columns; eight += 8) {
        const turns = evenSigns && isOdd(x, eight);
        // where the turned sign adds least, and how much
        let [best, added] = [0, Infinity];
        for (let point = eight; point < eight + 8; point += width) {
          addHalf(x, weights, point, scale, turns, firstCost, firstTurned);
          const leastSecond = addHalf(x, weights, point + half, scale, turns, secondCost, secondTurned);
          choose(leastSecond, turns);
          put(x, point, straight, codes);
          total += straight.loss;
          if (!turns || turned.loss - straight.loss >= added) continue;
          added = turned.loss - straight.loss;
          best = point;
          kept.first = turned.first;
          kept.second = turned.second;
        }
        if (turns) {
          total += added;
          put(x, best, kept, codes);
          turn(x, weights, best, codes);
        }
        if (total >= limit) return Infinity;
      }
      return total;
    },
  };
}
