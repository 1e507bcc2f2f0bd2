import type { FactorRecord } from "@mbs/artifacts";
import { at, type SiteWeight, type Solution } from "@mbs/contracts";
import { isInFiles, movedBlocks, quantisationTypeNamed } from "@mbs/gguf";
import { columnsInOrder, invertOrder, packUpper, permuteSymmetric, unpackUpper } from "@mbs/numbers";
import type { SiteInput } from "./site-statistics.ts";

/** place → column of a tensor whose columns files with blocks have in another order; undefined for all others. */
export type StoredColumns = (tensor: string) => Int32Array | undefined;

/**
 * The order in which the columns of a weight are to be solved, so that blocks are those of the file. Blocks that the file's order
 * leaves whole are made of neighbours in the checkpoint, and moved where they are written.
 *
 * @param weight whose parts, which read the same input, have one order
 * @returns place → column; undefined where columns stay as they are
 */
export function storedOrder({ parts }: SiteWeight, columnsOf: StoredColumns): Int32Array | undefined {
  const part = parts.find(({ grid }) => grid.kind === "blocks");
  if (part?.grid.kind !== "blocks") return undefined;
  const type = quantisationTypeNamed(part.grid.type);
  const order = isInFiles(type) ? columnsOf(part.tensor) : undefined;
  const isSplit = order !== undefined && movedBlocks(order, type.values) === undefined;
  return isSplit ? order : undefined;
}

/** A weight with its columns in another order. */
export const weightInOrder = (weight: SiteWeight, order: Int32Array): SiteWeight => ({
  ...weight,
  values: columnsInOrder(weight.values, order),
});

/** A factor of which columns have other numbers; U, which is in the order of the walk, stays. */
function factorInOrder(factor: FactorRecord, order: Int32Array): FactorRecord {
  const { width, gram, crossMoment, languageDiagonals, summary } = factor;
  const places = invertOrder(order);
  const placeOf = (column: number): number => at(places, column);
  return {
    ...factor,
    summary: { ...summary, dead: summary.dead.map(placeOf).sort((a, b) => a - b) },
    order: factor.order.map(placeOf),
    diagonal: columnsInOrder(factor.diagonal, order),
    ...(gram && { gram: packUpper(permuteSymmetric(unpackUpper(gram, width, "mirror"), order), width) }),
    ...(crossMoment && { crossMoment: permuteSymmetric(crossMoment, order) }),
    ...(languageDiagonals && {
      languageDiagonals: languageDiagonals.map((own) => ({ ...own, values: columnsInOrder(own.values, order) })),
    }),
  };
}

/** What is known of a site's inputs, with its columns in another order. */
export const inputInOrder = (input: SiteInput, order: Int32Array): SiteInput => ({
  ...input,
  ...(input.factor && { factor: factorInOrder(input.factor, order) }),
});

/** What a solver made of a weight in another order, in the weight's own but for its blocks. */
export function solutionFromOrder(solution: Solution, order: Int32Array): Solution {
  const { values, mask, inputScale } = solution;
  const places = invertOrder(order);
  return {
    ...solution,
    values: columnsInOrder(values, places),
    ...(mask && { mask: columnsInOrder(mask, places) }),
    ...(inputScale && { inputScale: columnsInOrder(inputScale, places) }),
  };
}
