import { FailedPreconditionError } from "@mbs/contracts";
import type { GroupGrid, PlannedCodes } from "@mbs/contracts";
import type { Site } from "@mbs/models";
import { gridInRows, groupCount, groupWidth } from "@mbs/numbers";

/** A tensor on a grid, as far as that is known before there are codes. */
export interface LayerGrid {
  readonly tensor: string;
  readonly rows: number;
  readonly columns: number;
  /** As it is in these columns. Its zero points are the fewest that it has. */
  readonly grid: GroupGrid;
  /** Whether some column is not in the group of its position: activation order. */
  readonly reordered: boolean;
  /** Group of each column. */
  readonly groupOf: Int32Array;
}

/** Groups in a row of a layer. */
export const groupsIn = ({ columns, grid }: LayerGrid): number => groupCount(columns, grid);

/** Whether every zero point is the middle. */
export const isSymmetric = ({ zeroPoints }: GroupGrid): boolean => zeroPoints === "middle";

/** @throws {FailedPreconditionError} naming the layer */
export function refuseLayer({ tensor }: Pick<LayerGrid, "tensor">, problem: string): never {
  throw new FailedPreconditionError(`layer ${tensor}: ${problem}`, { tensor });
}

/** @throws {FailedPreconditionError} for a layer without codes: it was pruned, or left as it was */
export function refuseWithoutCodes(tensor: string, solver: string, format: string): never {
  refuseLayer(
    { tensor },
    `${solver} makes no codes, and ${format} holds nothing else; assemble with --format dense, or compress with a solver that rounds, such as gptq, or sparsegpt with --bits, which prunes too`,
  );
}

/**
 * The grids that a solver will give the weights of sites. Which columns a scattered group will have is not known yet: they
 * are assigned in order.
 */
export function plannedGrids(sites: readonly Site[], { grid: asked, scattered }: PlannedCodes): readonly LayerGrid[] {
  return sites.flatMap(({ width: columns, weights }) => {
    const grid = gridInRows(asked, columns);
    const width = groupWidth(columns, grid);
    const groupOf = Int32Array.from({ length: columns }, (_, column) => Math.floor(column / width));
    const shared = { columns, grid, reordered: scattered && grid.groupSize !== 0, groupOf };
    return weights.map(({ tensor, rows }) => ({ tensor, rows, ...shared }));
  });
}
