import { at } from "@mbs/contracts";
import { createSubBlockRefitter } from "@mbs/numbers";
import type { SweptGrids } from "../feedback/coordinate-descent.ts";
import { hessianPart } from "../feedback/hessian-part.ts";
import type { BlockWeight } from "./block-weight.ts";

/** Grids of blocks, for sweeps over their codes in natural order: each sub-block gets new scales when its turn comes. */
export function sweptBlocks(made: BlockWeight, codes: Uint8Array, hessian: Float32Array): SweptGrids {
  const { rows, grid } = made;
  const { columns, subColumns, powers } = grid.rule;
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
        // powers of two are too far apart for a change to help
        if (powers !== true) refit(frozen, at(made.scales, Math.floor(from / columns)), (from % columns) / subColumns);
        const columnGrids = made.gridOf(from);
        codes.set(kernel.fix(from - first, to - first, { columnGrids }), from * rows);
      }
    },
  };
}
