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

/** The values of a super-block, and what their squared errors count; each [256]. */
interface Columns {
  readonly values: Float32Array;
  readonly weights: Float32Array;
}

/** What parts of a point cost, by their number, and the least that one turned sign adds to it. */
interface Costs {
  readonly cost: Float64Array;
  readonly added: Float64Array;
}

const createCosts = (count: number): Costs => ({ cost: new Float64Array(count), added: new Float64Array(count) });

const smaller = (a: number, b: number): number => (a < b ? a : b);

/** Costs of all sizes of one column. */
function addColumn({ values, weights }: Columns, at: number, scale: number, sizes: Uint8Array, { cost, added }: Costs): void {
  const value = Math.abs(values[at]!);
  const weight = weights[at]!;
  for (let size = 0; size < sizes.length; size += 1) {
    const level = scale * sizes[size]!;
    const error = value - level;
    cost[size] = weight * error * error;
    added[size] = 4 * weight * value * level;
  }
}

/** Costs of all pairs of sizes, from those that the first column's are. @param at the second column */
function addSecondColumn({ values, weights }: Columns, at: number, scale: number, sizes: Uint8Array, costs: Costs): void {
  const { cost, added } = costs;
  const count = sizes.length;
  const value = Math.abs(values[at]!);
  const weight = weights[at]!;
  for (let size = count - 1; size >= 0; size -= 1) {
    const level = scale * sizes[size]!;
    const error = value - level;
    const loss = weight * error * error;
    const turn = 4 * weight * value * level;
    for (let low = 0; low < count; low += 1) {
      const to = size * count + low;
      added[to] = smaller(added[low]!, turn);
      cost[to] = cost[low]! + loss;
    }
  }
}

/** Adds up the costs of halves of points, which begin at column `at`. @returns the least */
type AddHalf = (columns: Columns, at: number, scale: number, turns: boolean, costs: Costs) => number;

/** A half is two parts, of one column or two each. */
function createAddHalf({ width, sizes }: NearestTables): AddHalf {
  const partColumns = width === 8 ? 2 : 1;
  const partCount = sizes.length ** partColumns;
  const [lows, highs] = [createCosts(partCount), createCosts(partCount)];
  const addPart = (columns: Columns, at: number, scale: number, costs: Costs): void => {
    addColumn(columns, at, scale, sizes, costs);
    if (partColumns === 2) addSecondColumn(columns, at + 1, scale, sizes, costs);
  };
  return (columns, at, scale, turns, { cost, added }) => {
    addPart(columns, at, scale, lows);
    addPart(columns, at + partColumns, scale, highs);
    let least = Infinity;
    for (let high = 0, to = 0; high < partCount; high += 1) {
      for (let low = 0; low < partCount; low += 1, to += 1) {
        const sum = highs.cost[high]! + lows.cost[low]!;
        cost[to] = sum;
        if (sum < least) least = sum;
      }
    }
    if (!turns) return least;
    for (let high = 0, to = 0; high < partCount; high += 1) {
      for (let low = 0; low < partCount; low += 1, to += 1) added[to] = smaller(lows.added[low]!, highs.added[high]!);
    }
    return least;
  };
}

/** The numbers of a point's halves, and what it costs. */
interface HalvesChoice {
  loss: number;
  first: number;
  second: number;
}

const noChoice = (): HalvesChoice => ({ loss: 0, first: 0, second: 0 });

/** The best point by the costs of halves, and the best one of those with a turned sign. */
class PointChooser {
  readonly straight = noChoice();
  readonly turned = noChoice();
  readonly #tables: NearestTables;

  constructor(tables: NearestTables) {
    this.#tables = tables;
  }

  /** @param leastSecond the least cost of a second half @param turns whether to find `turned` too */
  choose(firstCosts: Costs, secondCosts: Costs, leastSecond: number, turns: boolean): void {
    const { firsts, starts, seconds } = this.#tables;
    const { straight, turned } = this;
    straight.loss = Infinity;
    turned.loss = Infinity;
    // no point with a turned sign costs less than the same without
    let limit = Infinity;
    for (let place = 0; place < firsts.length; place += 1) {
      const first = firsts[place]!;
      const firstCost = firstCosts.cost[first]!;
      if (firstCost + leastSecond >= limit) continue;
      const end = starts[place + 1]!;
      for (let index = starts[place]!; index < end; index += 1) {
        const second = seconds[index]!;
        const loss = firstCost + secondCosts.cost[second]!;
        if (loss >= limit) continue;
        if (loss < straight.loss) {
          straight.loss = loss;
          straight.first = first;
          straight.second = second;
          if (!turns) limit = loss;
        }
        if (!turns) continue;
        const sum = loss + smaller(firstCosts.added[first]!, secondCosts.added[second]!);
        if (sum >= limit) continue;
        limit = sum;
        turned.loss = sum;
        turned.first = first;
        turned.second = second;
      }
    }
  }
}

/** Codes of a point from column `at` on, their signs those of the values. */
function putPoint(
  { width, sizes: { length: count } }: NearestTables,
  values: Float32Array,
  at: number,
  { first, second }: Readonly<HalvesChoice>,
  codes: Uint8Array,
): void {
  let number = first;
  for (let column = 0; column < width; column += 1) {
    if (column === width / 2) number = second;
    const size = number % count;
    number = (number - size) / count;
    codes[at + column] = values[at + column]! < 0 ? count - 1 - size : count + size;
  }
}

/** Turns the sign that costs least. */
function turnSign({ width, sizes }: NearestTables, { values, weights }: Columns, at: number, codes: Uint8Array): void {
  const count = sizes.length;
  let [best, least] = [at, Infinity];
  for (let column = at; column < at + width; column += 1) {
    const code = codes[column]!;
    const loss = weights[column]! * Math.abs(values[column]!) * sizes[code < count ? count - 1 - code : code - count]!;
    if (loss < least) [best, least] = [column, loss];
  }
  codes[best] = 2 * count - 1 - codes[best]!;
}

/**
 * All points are compared, in two halves: what each half of a point costs is added up once for all points that have it, and first
 * halves that cost too much with the cheapest second one are left out.
 *
 * Signs are those of the values. Where an even count has to be negative and the values' is odd, one of the eight is turned, which costs
 * 4 · weight · |x| · scale · size: that of the column where it costs least, found along with the point.
 */
export function createNearestReference(tables: NearestTables): NearestPoints {
  const { width, columns: together, sizes, evenSigns } = tables;
  const [values, weights] = [new Float32Array(superColumns), new Float32Array(superColumns)];
  const columns = { values, weights };
  const codes = new Uint8Array(superColumns);
  const addHalf = createAddHalf(tables);
  const halfCount = sizes.length ** (width / 2);
  const [firstCosts, secondCosts] = [createCosts(halfCount), createCosts(halfCount)];
  const chooser = new PointChooser(tables);
  const { straight, turned } = chooser;

  /** Chooses the codes of eight columns. @returns the total with what they cost */
  function addEight(before: number, eight: number, scale: number): number {
    const turns = evenSigns && isOdd(values, eight);
    let total = before;
    // where the turned sign adds least, how much, and the point that has it
    let [best, added, kept] = [0, Infinity, noChoice()];
    for (let point = eight; point < eight + 8; point += width) {
      addHalf(columns, point, scale, turns, firstCosts);
      const leastSecond = addHalf(columns, point + width / 2, scale, turns, secondCosts);
      chooser.choose(firstCosts, secondCosts, leastSecond, turns);
      putPoint(tables, values, point, straight, codes);
      total += straight.loss;
      if (!turns || turned.loss - straight.loss >= added) continue;
      [best, added, kept] = [point, turned.loss - straight.loss, { ...turned }];
    }
    if (!turns) return total;
    putPoint(tables, values, best, kept, codes);
    turnSign(tables, columns, best, codes);
    return total + added;
  }

  return {
    values,
    weights,
    codes,
    find(at, scale, limit) {
      let total = 0;
      for (let eight = at; eight < at + together; eight += 8) {
        total = addEight(total, eight, scale);
        if (total >= limit) return Infinity;
      }
      return total;
    },
  };
}
