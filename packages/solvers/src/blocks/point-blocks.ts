import { at, InternalError, type Factor } from "@mbs/contracts";
import { blockEncoders, pointTables } from "@mbs/gguf";
import { createPointRounder } from "@mbs/numbers";
import { importancesAt } from "../feedback/damped-gram.ts";
import type { BlockRounding } from "./block-rounding.ts";
import type { BlockWeight } from "./block-weight.ts";
import { chosenValues, createPointFitter, requireSpans } from "./point-rounding.ts";
import { sweptPoints } from "./swept-points.ts";

/**
 * Types whose columns are points of a codebook: the columns of a span are decided together, by their own part of U, and their errors
 * move on to later columns. No code stands for zero, so that columns without inputs count nothing instead.
 *
 * @throws {UsageError} where the factor's order splits spans
 */
export function roundPoints(type: string, made: BlockWeight, factor: Factor): BlockRounding {
  const { rows, grid } = made;
  const { codebook, rule } = grid;
  const encoder = blockEncoders.get(type);
  if (codebook === undefined || encoder === undefined) {
    throw new InternalError(`${type} has no codebook`, { type });
  }
  const tables = pointTables(codebook);
  const { span } = tables;
  const round = createPointRounder(tables, rows);
  requireSpans(factor, span, type);
  const fitScales = createPointFitter(encoder, codebook, rule, rows);
  const { order, upper, dead: deadColumns } = factor;
  const dead = new Set(deadColumns);
  const size = order.length;

  /** U of a span, with nothing that an error in a dead column costs. */
  function upperOf(first: number): Float64Array {
    const own = new Float64Array(span * span);
    for (let row = 0; row < span; row += 1) {
      for (let column = row; column < span; column += 1) {
        own[row * span + column] = at(upper, (first + row) * size + first + column);
      }
      if (dead.has(at(order, first + row))) own[row * (span + 1)] = Infinity;
    }
    return own;
  }

  return {
    fit(panel, positions) {
      const importances = importancesAt(factor, positions);
      for (const [index, position] of positions.entries()) if (dead.has(at(order, position))) importances[index] = 0;
      return fitScales(panel, importances);
    },
    fix(walked, codes) {
      for (let from = 0; from < walked.columns; from += span) {
        const position = walked.first + from;
        const part = [from * rows, (from + span) * rows] as const;
        const { scales } = made.gridOf(at(order, position));
        const wanted = walked.weights.subarray(...part);
        const own = { wanted, upper: upperOf(position), scales, codes: codes.subarray(...part), keeps: false };
        walked.fix(from, from + span, { columnGrids: chosenValues(round(own)) });
      }
    },
    sweep(blas, codes, hessian) {
      const living = hessian.filter((_, index) => index % (size + 1) === 0 && !dead.has(index / (size + 1)));
      const least = living.reduce((smallest, value) => Math.min(smallest, value), Infinity) / 1000;
      for (const column of dead) hessian[column * (size + 1)] = least;
      return sweptPoints(blas, made, { round, tables }, { codes, hessian });
    },
  };
}
