import { at, type Blas } from "@mbs/contracts";
import { inverseFactorReference, nearestOdd, type PointChoice, type PointTables } from "@mbs/numbers";
import type { SweptBlock, SweptGrids } from "../feedback/coordinate-descent.ts";
import { hessianPart } from "../feedback/group-sweeps.ts";
import type { BlockWeight } from "./block-weight.ts";
import { chosenValues } from "./point-rounding.ts";

/** Columns of all rows that are scaled together and whose codes stay. All arrays are [columns, rows], in the order of fixing. */
interface FrozenValues {
  /** Values of its codes. */
  readonly values: Float32Array;
  /** (Q - W)·H at its columns. */
  readonly gradient: Float32Array;
  /** Q·H of these columns by themselves, at the same. */
  readonly products: Float32Array;
}

/** q·g and q·H·qᵀ of each row: with a scale times 1 + c the loss changes by c · (2·slope + c·curvature). */
function frozenSums(
  { values, gradient, products }: FrozenValues,
  rows: number,
): { readonly slopes: Float64Array; readonly curvatures: Float64Array } {
  const slopes = new Float64Array(rows);
  const curvatures = new Float64Array(rows);
  for (let start = 0; start < values.length; start += rows) {
    for (let row = 0; row < rows; row += 1) {
      const value = values[start + row]!;
      slopes[row]! += value * gradient[start + row]!;
      curvatures[row]! += value * products[start + row]!;
    }
  }
  return { slopes, curvatures };
}

/** What a span's codes are chosen by: H, its inverse, and U with H⁻¹ = UᵀU, all [span, span]. */
interface SpanMetric {
  readonly hessian: Float32Array;
  readonly inverse: Float64Array;
  readonly upper: Float64Array;
}

function metricOf(hessian: Float32Array, first: number, span: number): SpanMetric {
  const { values } = hessianPart(hessian, { first, count: span }, first, first + span);
  const upper = inverseFactorReference(values, span, first);
  const inverse = new Float64Array(span * span);
  for (let row = 0; row < span; row += 1) {
    for (let column = 0; column < span; column += 1) {
      for (let k = 0; k <= Math.min(row, column); k += 1) {
        inverse[row * span + column]! += at(upper, k * span + row) * at(upper, k * span + column);
      }
    }
  }
  return { hessian: values, inverse, upper };
}

/** The span of one choice, as the kernel and the codes have it. */
interface SpanState {
  /** Of each column the best value less what the ones before contribute, [span, rows]. */
  readonly best: Float32Array;
  /** [span, rows] */
  readonly codes: Uint8Array;
  /** One a row. */
  readonly scales: Float32Array;
}

/** Finds the values that a span's rows should have, [span, rows], valid until the next call. */
function createWantedValues({ span, levels }: PointTables, rows: number): (state: SpanState, metric: SpanMetric) => Float32Array {
  const wanted = new Float32Array(span * rows);
  const values = new Float64Array(span);
  const gradient = new Float64Array(span);
  return ({ best: x, codes, scales }, { hessian: H, inverse }) => {
    for (let row = 0; row < rows; row += 1) {
      for (let k = 0; k < span; k += 1) {
        values[k] = scales[row]! * levels[codes[k * rows + row]!]!;
        let sum = H[k * span + k]! * (values[k]! - x[k * rows + row]!);
        for (let j = 0; j < k; j += 1) sum += H[k * span + j]! * values[j]!;
        gradient[k] = sum;
      }
      for (let k = 0; k < span; k += 1) {
        let best = values[k]!;
        for (let j = 0; j < span; j += 1) best -= inverse[k * span + j]! * gradient[j]!;
        wanted[k * rows + row] = best;
      }
    }
    return wanted;
  };
}

/**
 * Gives the rows of a sub-block the numbers that lower the loss most.
 *
 * @param numbers one a row; overwritten
 * @returns what was added to each scale, as a share of it
 */
function improveNumbers(numbers: Int16Array, frozen: FrozenValues, most: number): Float64Array {
  const rows = numbers.length;
  const { slopes, curvatures } = frozenSums(frozen, rows);
  const changes = new Float64Array(rows);
  for (let row = 0; row < rows; row += 1) {
    const [curvature, slope, number] = [curvatures[row]!, slopes[row]!, numbers[row]!];
    if (!(curvature > 0)) continue;
    const other = nearestOdd(number * (1 - slope / curvature), most);
    const change = other / number - 1;
    if (!(change * (2 * slope + change * curvature) < 0)) continue;
    changes[row] = change;
    numbers[row] = other;
  }
  return changes;
}

/**
 * Grids of codebooks, for sweeps in natural order: sub-blocks get the best numbers for the codes that they have, and then the codes of
 * each span are chosen again, all others as they are, by H of the span.
 *
 * @param codes [columns, rows]; overwritten
 */
export function sweptPoints(
  blas: Blas,
  made: BlockWeight,
  { round, tables }: { readonly round: (choice: PointChoice) => Float32Array; readonly tables: PointTables },
  { codes, hessian }: { readonly codes: Uint8Array; readonly hessian: Float32Array },
): SweptGrids {
  const { rows, grid } = made;
  const { columns, subColumns, scales: whole } = grid.rule;
  const { span, levels } = tables;
  const metrics = new Map<number, SpanMetric>();
  const metricAt = (first: number): SpanMetric => {
    const own = metrics.get(first) ?? metricOf(hessian, first, span);
    metrics.set(first, own);
    return own;
  };
  const findWanted = createWantedValues(tables, rows);

  /** Gives the rows of one sub-block other numbers, and brings its values and the block's gradient up to date. */
  async function rescaleSubBlock(block: SweptBlock, from: number): Promise<void> {
    const { first, count, gradient: slopeOf } = block;
    const inBlock = [(from - first) * rows, (from - first + subColumns) * rows] as const;
    const own = block.values.subarray(...inBlock);
    const part = hessianPart(hessian, block, from, from + subColumns);
    const { values: products } = await blas.gemm(part, { rows: subColumns, columns: rows, values: own.slice() });
    const frozen = { values: own, gradient: slopeOf.subarray(...inBlock), products: products.subarray(...inBlock) };
    const { subScales } = at(made.scales, Math.floor(from / columns));
    const sub = (from % columns) / subColumns;
    const changes = improveNumbers(subScales.subarray(sub * rows, (sub + 1) * rows), frozen, whole?.most ?? 1);
    for (let start = 0; start < count * rows; start += rows) {
      for (let row = 0; row < rows; row += 1) slopeOf[start + row]! += products[start + row]! * changes[row]!;
    }
    const { scales } = made.gridOf(from);
    for (let start = 0; start < own.length; start += rows) {
      for (let row = 0; row < rows; row += 1) own[start + row] = scales[row]! * levels[codes[from * rows + start + row]!]!;
    }
  }

  return {
    columnGrids: true,
    async rescale(block) {
      for (let from = block.first; from < block.first + block.count; from += subColumns) await rescaleSubBlock(block, from);
    },
    fix(kernel, { first, count }) {
      for (let from = first; from < first + count; from += span) {
        const metric = metricAt(from);
        const own = codes.subarray(from * rows, (from + span) * rows);
        const { scales } = made.gridOf(from);
        const place = from - first;
        const best = kernel.weights.subarray(place * rows, (place + span) * rows);
        const wanted = findWanted({ best, codes: own, scales }, metric);
        const choice = { wanted, upper: metric.upper, scales, codes: own, keeps: true };
        kernel.fix(place, place + span, { columnGrids: chosenValues(round(choice)) });
      }
    },
  };
}
