import { at, type Blas } from "@mbs/contracts";
import { naturalOrder, roundTo } from "@mbs/numbers";
import type { SweptBlock, SweptGrids } from "../feedback/coordinate-descent.ts";
import { hessianPart } from "../feedback/hessian-part.ts";
import type { BlockWeight } from "./block-weight.ts";

/** What the change of a sub-block's scale and offset does to one row's error, its codes as they are. */
interface Quadratic {
  /** q·g and 1·g, q what the codes stand for in units of the scale, g the gradient. */
  readonly slope: number;
  readonly offsetSlope: number;
  /** q·H·q, q·H·1, 1·H·1 of the sub-block. */
  readonly curvature: number;
  readonly cross: number;
  readonly offsetCurvature: number;
}

/** tr((Q - W)·H·(Q - W)ᵀ) after a change of scale and offset, less than before where it is below zero. */
const changeOf = ({ slope, offsetSlope, curvature, cross, offsetCurvature }: Quadratic, scale: number, offset: number): number =>
  2 * (scale * slope - offset * offsetSlope) +
  scale * scale * curvature -
  2 * scale * offset * cross +
  offset * offset * offsetCurvature;

/** The changes of scale and offset that lower the error most; of the scale alone where both cannot be told apart. */
function bestChange(quadratic: Quadratic, hasOffset: boolean): readonly [scale: number, offset: number] {
  const { slope, offsetSlope, curvature, cross, offsetCurvature } = quadratic;
  const determinant = curvature * offsetCurvature - cross * cross;
  if (hasOffset && determinant > 1e-6 * curvature * offsetCurvature) {
    return [
      (cross * offsetSlope - slope * offsetCurvature) / determinant,
      (curvature * offsetSlope - slope * cross) / determinant,
    ];
  }
  return [curvature > 0 ? -slope / curvature : 0, 0];
}

const half = (value: number): number => at(roundTo("f16", Float32Array.of(value)), 0);

/** Whole numbers on both sides of one, within bounds. */
const around = (value: number, least: number, most: number): readonly number[] => {
  const low = Math.min(Math.max(Math.floor(value), least), most);
  const high = Math.min(low + 1, most);
  return low === high ? [low] : [low, high];
};

/** Grids of blocks, for sweeps over their codes in natural order. */
export function sweptBlocks(blas: Blas, made: BlockWeight, codes: Uint8Array, hessian: Float32Array): SweptGrids {
  const { rows, grid, columns } = made;
  const { rule } = grid;
  const { subColumns, zero, levels, scales: wholeScales, offsets: offsetKind } = rule;
  const all = naturalOrder(columns);

  /** Chooses scale and offset of one row and sub-block; tells how much they changed. */
  function choose(quadratic: Quadratic, block: number, sub: number, row: number): readonly [scale: number, offset: number] {
    const scales = at(made.scales, block);
    const unit = scales.scales[row]!;
    const offsetUnit = scales.offsets[row]!;
    const index = sub * rows + row;
    const scale = unit * scales.subScales[index]!;
    const offset = offsetUnit * scales.subOffsets[index]!;
    const [scaleChange, offsetChange] = bestChange(quadratic, offsetKind !== undefined);
    let best: readonly [number, number] = [0, 0];
    let least = 0;
    if (!wholeScales) {
      const wanted = half(scale + scaleChange);
      const wantedOffset = offsetKind === undefined ? 0 : half(offset + offsetChange);
      const change = [wanted - scale, wantedOffset - offset] as const;
      const isUsable = Number.isFinite(wanted) && Number.isFinite(wantedOffset) && (wanted !== 0 || levels !== undefined);
      if (isUsable && changeOf(quadratic, ...change) < 0) {
        scales.scales[row] = wanted;
        scales.offsets[row] = wantedOffset;
        return change;
      }
      return best;
    }
    if (unit === 0) return best;
    const mostOffset = typeof offsetKind === "object" && offsetUnit !== 0 ? offsetKind.most : 0;
    for (const s of around((scale + scaleChange) / unit, wholeScales.least, wholeScales.most)) {
      if (s === 0 && levels === undefined) continue;
      for (const o of around(offsetUnit === 0 ? 0 : (offset + offsetChange) / offsetUnit, 0, mostOffset)) {
        const change = [unit * s - scale, offsetUnit * o - offset] as const;
        const loss = changeOf(quadratic, ...change);
        if (!(loss < least)) continue;
        least = loss;
        best = change;
        scales.subScales[index] = s;
        scales.subOffsets[index] = o;
      }
    }
    return best;
  }

  async function rescale(block: SweptBlock): Promise<void> {
    const { first, count, values, gradient } = block;
    for (let from = first; from < first + count; from += subColumns) {
      const index = Math.floor(from / rule.columns);
      const sub = (from % rule.columns) / subColumns;
      const start = (from - first) * rows;
      const own = Float32Array.from(codes.subarray(from * rows, (from + subColumns) * rows), (code) =>
        levels ? levels[code]! : code - zero,
      );
      const part = hessianPart(hessian, block, from, from + subColumns);
      const { values: products } = await blas.gemm(part, { rows: subColumns, columns: rows, values: own.slice() });
      const sums = new Float32Array(count);
      for (let row = 0; row < count; row += 1) {
        for (let column = 0; column < subColumns; column += 1) sums[row]! += part.values[row * subColumns + column]!;
      }
      let offsetCurvature = 0;
      for (let column = 0; column < subColumns; column += 1) offsetCurvature += sums[from - first + column]!;
      for (let row = 0; row < rows; row += 1) {
        let [slope, offsetSlope, curvature, cross] = [0, 0, 0, 0];
        for (let column = 0; column < subColumns; column += 1) {
          const q = own[column * rows + row]!;
          const g = gradient[start + column * rows + row]!;
          slope += q * g;
          offsetSlope += g;
          curvature += q * products[start + column * rows + row]!;
          cross += q * sums[from - first + column]!;
        }
        const [scaleChange, offsetChange] = choose({ slope, offsetSlope, curvature, cross, offsetCurvature }, index, sub, row);
        if (scaleChange === 0 && offsetChange === 0) continue;
        for (let column = 0; column < count; column += 1) {
          gradient[column * rows + row]! += scaleChange * products[column * rows + row]! - offsetChange * sums[column]!;
        }
        for (let column = 0; column < subColumns; column += 1) {
          values[start + column * rows + row]! += scaleChange * own[column * rows + row]! - offsetChange;
        }
      }
    }
  }

  return {
    columnGrids: true,
    rescale,
    settle(kernel, { first, count }) {
      const settled = kernel.settle(0, count, { columnGrids: made.gridsOf(all.subarray(first, first + count)) });
      codes.set(settled, first * rows);
    },
  };
}
