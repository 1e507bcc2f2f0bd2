import { at, type Factor } from "@mbs/contracts";
import { createBlockFitter, createSubBlockRefitter } from "@mbs/numbers";
import type { SweptGrids } from "../feedback/coordinate-descent.ts";
import { importancesAt } from "../feedback/damped-gram.ts";
import { hessianPart } from "../feedback/group-sweeps.ts";
import type { BlockRounding } from "./block-rounding.ts";
import type { BlockWeight } from "./block-weight.ts";

/** Grids of blocks, for sweeps over their codes in natural order: each sub-block gets new scales when its turn comes. */
function sweptColumns(made: BlockWeight, codes: Uint8Array, hessian: Float32Array): SweptGrids {
  const { rows, grid } = made;
  const { columns, subColumns } = grid.rule;
  const refit = createSubBlockRefitter(grid.rule, rows);
  return {
    columnGrids: true,
    fix(kernel, { first, count }) {
      for (let from = first; from < first + count; from += subColumns) {
        const to = from + subColumns;
        const frozen = {
          best: kernel.weights.subarray((from - first) * rows, (to - first) * rows),
          codes: codes.subarray(from * rows, to * rows),
          hessian: hessianPart(hessian, { first: from, count: subColumns }, from, to).values,
        };
        refit(frozen, at(made.scales, Math.floor(from / columns)), (from % columns) / subColumns);
        const columnGrids = made.gridOf(from);
        codes.set(kernel.fix(from - first, to - first, { columnGrids }), from * rows);
      }
    },
  };
}

/** Types whose columns are rounded one by one. */
export function roundColumns(_: string, made: BlockWeight, factor: Factor): BlockRounding {
  const fitScales = createBlockFitter(made.grid.rule, made.rows);
  return {
    fit: (panel, positions) => fitScales(panel, importancesAt(factor, positions)),
    fix(walked, codes) {
      const own = factor.order.subarray(walked.first, walked.first + walked.columns);
      codes.set(walked.fix(0, walked.columns, { columnGrids: made.gridsOf(own) }));
    },
    sweep: (_blas, codes, hessian) => sweptColumns(made, codes, hessian),
  };
}
