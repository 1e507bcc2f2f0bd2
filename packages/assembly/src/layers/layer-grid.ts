import { FailedPreconditionError } from "@mbs/contracts";
import type { PlannedCodes } from "@mbs/contracts";
import type { Site } from "@mbs/models";

/** The grid of a layer, as far as it is known before there are codes. */
export interface LayerGrid {
  readonly tensor: string;
  readonly rows: number;
  readonly columns: number;
  readonly bits: number;
  /** Columns a group; `columns` when one group spans the row. */
  readonly groupSize: number;
  readonly groups: number;
  /** Whether some column is not in the group of its position: activation order. */
  readonly reordered: boolean;
  /** Group of each column. */
  readonly groupOf: Int32Array;
}

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
  const { bits, groupSize: wanted } = asked;
  return sites.flatMap(({ width: columns, weights }) => {
    const groupSize = wanted === 0 ? columns : Math.min(wanted, columns);
    const groups = Math.ceil(columns / groupSize);
    const groupOf = Int32Array.from({ length: columns }, (_, column) => Math.floor(column / groupSize));
    const grid = { columns, bits, groupSize, groups, reordered: scattered && groups > 1, groupOf };
    return weights.map(({ tensor, rows }) => ({ tensor, rows, ...grid }));
  });
}
