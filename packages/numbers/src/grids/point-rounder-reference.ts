import { at } from "@mbs/contracts";

/** Which codes neighbouring columns can have together: the signed sizes of a codebook's points. */
export interface PointTables {
  /** Columns that are decided together, at most 8: those of a point, or eight where their signs depend on each other. */
  readonly span: number;
  /** Columns of a point. */
  readonly width: number;
  /** What codes stand for, in units of a scale: all sizes with both signs, rising. */
  readonly levels: Int8Array;
  /** The points as a tree: for each node and size the node of the next column, at the last one 0; -1 where no point goes on. */
  readonly tree: Int16Array;
  /** Whether of a span's signs an even count is negative. */
  readonly evenSigns: boolean;
}

/** Neighbouring columns whose points are chosen. */
export interface PointChoice {
  /** Values to come near, [span, rows]. */
  readonly wanted: Float32Array;
  /**
   * U, [span, span], upper triangular, its diagonal above zero. With e the wanted values less the chosen ones and err · U = e, Σ err²
   * is made small: each column's error moves the later ones, as in GPTQ's feedback. With nothing beside the diagonal squared errors
   * count 1 / U[j, j]².
   */
  readonly upper: Float64Array;
  /** One a row, not negative; 0 for a row all of whose codes stand for 0. */
  readonly scales: Float32Array;
  /** [span, rows]; receives what was chosen. */
  readonly codes: Uint8Array;
  /** Whether the codes that are there stay where no others err less. */
  readonly keeps: boolean;
}

/** Finds the codes of one row that err least. */
export interface PointSearch {
  /** Codes of what was found last, one a column. */
  readonly codes: Uint8Array;
  /**
   * @param x values to come near, [span]
   * @param scale above zero
   * @param upper as of {@link PointChoice}
   * @returns the least Σ err², or `limit` where nothing is below it, and then the codes are not those of anything
   */
  find(x: Float64Array, scale: number, upper: Float64Array, limit: number): number;
}

/** Goes through the codes that one column may have, the nearest to a value first. */
class NearestCodes {
  readonly #levels: Int8Array;
  #value = 0;
  /** The next codes below and above the value, and the limits of both. */
  #below = 0;
  #above = 0;
  #from = 0;
  #to = 0;

  constructor(levels: Int8Array) {
    this.#levels = levels;
  }

  /** @param value in units of the scale @param from the first code that is allowed, up to before `to` */
  begin(value: number, from: number, to: number): void {
    let above = from;
    while (above < to && this.#levels[above]! < value) above += 1;
    this.#value = value;
    this.#from = from;
    this.#to = to;
    this.#above = above;
    this.#below = above - 1;
  }

  /** The next code; -1 where there is none left. */
  next(): number {
    const [above, below] = [this.#above, this.#below];
    const hasBelow = below >= this.#from;
    if (above < this.#to && (!hasBelow || this.#levels[above]! - this.#value <= this.#value - this.#levels[below]!)) {
      this.#above = above + 1;
      return above;
    }
    if (!hasBelow) return -1;
    this.#below = below - 1;
    return below;
  }

  /** How far a code's level is below the value, in units of the scale. */
  distanceTo(code: number): number {
    return this.#value - this.#levels[code]!;
  }
}

/**
 * A search through the tree of points, depth first, at each column the nearest size first; what errs more than the best so far
 * already is left (a sphere decoder).
 */
export function createPointSearch({ span, width, levels, tree, evenSigns }: PointTables): PointSearch {
  const all = levels.length;
  const count = all / 2;
  const codes = new Uint8Array(span);
  // of each column on the way: its codes, its node, and what is lost and how many signs are negative before it
  const choices = Array.from({ length: span }, () => new NearestCodes(levels));
  const node = new Int32Array(span);
  const negatives = new Int32Array(span);
  const losses = new Float64Array(span);
  const tried = new Int32Array(span);
  const factor = new Float64Array(span);
  const errors = new Float64Array(span);

  function enter(column: number, x: Float64Array, inverse: number, upper: Float64Array): void {
    let target = x[column]!;
    for (let before = 0; before < column; before += 1) target -= errors[before]! * upper[before * span + column]!;
    // the last sign is given by the others
    const isGiven = evenSigns && column === 7;
    const isNegative = isGiven && (negatives[column]! & 1) === 1;
    at(choices, column).begin(target * inverse, isGiven && !isNegative ? count : 0, isNegative ? count : all);
  }

  return {
    codes,
    find(x, scale, upper, limit) {
      let best = limit;
      const inverse = 1 / scale;
      for (let j = 0; j < span; j += 1) factor[j] = scale / upper[j * span + j]!;
      let column = 0;
      enter(0, x, inverse, upper);
      while (column >= 0) {
        const choice = at(choices, column);
        const code = choice.next();
        const distance = code < 0 ? 0 : choice.distanceTo(code) * factor[column]!;
        const loss = losses[column]! + distance * distance;
        if (code < 0 || loss >= best) {
          column -= 1;
          continue;
        }
        const child = tree[node[column]! * count + (code < count ? count - 1 - code : code - count)]!;
        if (child < 0) continue;
        tried[column] = code;
        if (column === span - 1) {
          best = loss;
          for (let j = 0; j < span; j += 1) codes[j] = tried[j]!;
          column -= 1;
          continue;
        }
        errors[column] = distance;
        const sum = negatives[column]! + (code < count ? 1 : 0);
        column += 1;
        losses[column] = loss;
        negatives[column] = sum;
        node[column] = column === width ? 0 : child;
        enter(column, x, inverse, upper);
      }
      return best;
    },
  };
}

/**
 * Chooses points for all rows, one after the other.
 *
 * @returns the values of the codes, [span, rows]
 */
export function roundPointsReference(tables: PointTables, { wanted, upper, scales, codes, keeps }: PointChoice): Float32Array {
  const { span, levels } = tables;
  const search = createPointSearch(tables);
  const rows = scales.length;
  const target = new Float64Array(span);
  const errors = new Float64Array(span);
  const values = new Float32Array(span * rows);

  /** Σ err² of the codes that a row has. */
  function lossOf(row: number, scale: number): number {
    let loss = 0;
    for (let column = 0; column < span; column += 1) {
      let left = target[column]!;
      for (let before = 0; before < column; before += 1) left -= errors[before]! * upper[before * span + column]!;
      const error = (left - scale * levels[codes[column * rows + row]!]!) / upper[column * span + column]!;
      errors[column] = error;
      loss += error * error;
    }
    return loss;
  }

  for (let row = 0; row < rows; row += 1) {
    const scale = scales[row]!;
    if (scale === 0) {
      for (let column = 0; column < span; column += 1) codes[column * rows + row] = levels.length / 2;
    } else {
      for (let column = 0; column < span; column += 1) target[column] = wanted[column * rows + row]!;
      const limit = keeps ? lossOf(row, scale) : Infinity;
      if (search.find(target, scale, upper, limit) < limit) {
        for (let column = 0; column < span; column += 1) codes[column * rows + row] = search.codes[column]!;
      }
    }
    for (let index = row; index < values.length; index += rows) values[index] = scale * levels[codes[index]!]!;
  }
  return values;
}
