import { pointBits, signedSizes, type Codebook } from "./codebooks.ts";

/** Finds the codes of neighbouring columns whose values err least together. A code is the place of size and sign among all signed sizes, rising. */
export interface PointSearch {
  /** Columns that are decided together: those of a point, or eight where their signs depend on each other. */
  readonly span: number;
  /** Codes of what was found last, one a column. */
  readonly codes: Uint8Array;
  /**
   * Looks for the values q of a row's columns x, with e = x - q, that have the least Σ err², where err · U = e: each column's error
   * moves the later ones, as GPTQ's feedback does. A U with nothing beside its diagonal weighs squared errors by 1 / U[j, j]².
   *
   * @param x [span]
   * @param scale what signed sizes are multiplied with, above zero
   * @param upper U, [span, span], its diagonal above zero
   * @param limit gives up where nothing is below it
   * @returns the least Σ err², or `limit`, and then the codes are not those of anything
   */
  find(x: Float64Array, scale: number, upper: Float64Array, limit: number): number;
}

/** The points as a tree: for each prefix of one, the node of each next size, or -1. Depth 0 is node 0. */
function treeOf(codebook: Codebook): Int16Array {
  const { width, sizes, points } = codebook;
  const bits = pointBits(codebook);
  const mask = (1 << bits) - 1;
  const next: number[] = Array.from(sizes, () => -1);
  for (const point of points) {
    let node = 0;
    for (let column = 0; column < width; column += 1) {
      const place = node * sizes.length + ((point >> (column * bits)) & mask);
      // all that the last size of a point needs is that it is there
      if (column === width - 1) next[place] = 0;
      else if (next[place] === -1) {
        next[place] = next.length / sizes.length;
        for (let size = 0; size < sizes.length; size += 1) next.push(-1);
      }
      node = next[place]!;
    }
  }
  return Int16Array.from(next);
}

/**
 * A search through the tree of points, depth first, at each column the nearest size first; what errs more than the best so far
 * already is left (a sphere decoder).
 */
export function createPointSearch(codebook: Codebook): PointSearch {
  const { width, sizes, evenSigns } = codebook;
  const span = evenSigns ? 8 : width;
  const count = sizes.length;
  const all = 2 * count;
  const tree = treeOf(codebook);
  const levels = Float64Array.from(signedSizes(codebook));
  const codes = new Uint8Array(span);
  // of each column on the way: its node, the next codes below and above the wanted value and their limits, and what is lost before it
  const node = new Int32Array(span);
  const above = new Int32Array(span);
  const below = new Int32Array(span);
  const least = new Int32Array(span);
  const most = new Int32Array(span);
  const negatives = new Int32Array(span);
  const tried = new Int32Array(span);
  const wanted = new Float64Array(span);
  const factor = new Float64Array(span);
  const errors = new Float64Array(span);
  const losses = new Float64Array(span);

  return {
    span,
    codes,
    find(x, scale, upper, limit) {
      let best = limit;
      const inverse = 1 / scale;
      let column = 0;
      let entered = true;
      losses[0] = 0;
      node[0] = 0;
      negatives[0] = 0;
      for (let j = 0; j < span; j += 1) factor[j] = scale / upper[j * span + j]!;
      while (column >= 0) {
        if (entered) {
          let target = x[column]!;
          for (let before = 0; before < column; before += 1) target -= errors[before]! * upper[before * span + column]!;
          const value = target * inverse;
          wanted[column] = value;
          let [from, to] = [0, all];
          if (evenSigns && column === 7) {
            // the last sign is given by the others
            if ((negatives[7]! & 1) === 0) from = count;
            else to = count;
          }
          least[column] = from;
          most[column] = to;
          while (from < to && levels[from]! < value) from += 1;
          above[column] = from;
          below[column] = from - 1;
          entered = false;
        }
        const [a, b, value] = [above[column]!, below[column]!, wanted[column]!];
        const hasAbove = a < most[column]!;
        const hasBelow = b >= least[column]!;
        let code: number;
        let distance: number;
        if (hasAbove && (!hasBelow || levels[a]! - value <= value - levels[b]!)) {
          code = a;
          above[column] = a + 1;
        } else if (hasBelow) {
          code = b;
          below[column] = b - 1;
        } else {
          column -= 1;
          continue;
        }
        distance = (value - levels[code]!) * factor[column]!;
        const loss = losses[column]! + distance * distance;
        if (loss >= best) {
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
        const isNegative = code < count ? 1 : 0;
        const sum = negatives[column]! + isNegative;
        column += 1;
        losses[column] = loss;
        negatives[column] = sum;
        node[column] = column === width ? 0 : child;
        entered = true;
      }
      return best;
    },
  };
}
