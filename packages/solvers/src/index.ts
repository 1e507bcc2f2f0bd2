export { loadSolver } from "./contract/read-solver.ts";
export { factorOptionsFor, plannedCodesOf, preferredAllocationOf, readSolver } from "./contract/read-solver.ts";
export { momentOf, outputByRow, outputsByRow } from "./output-error.ts";
export type { InputMoment } from "./output-error.ts";
export { pruningErrors } from "./pruning/pruning-errors.ts";
export type { LanguageInputs } from "./pruning/pruning-errors.ts";
export { defaultTypeMix, requireAllocatable, sharedValues } from "./grids/allocated-grids.ts";
export type { Allocated } from "./grids/allocated-grids.ts";
export { askedGrid, fittingGrid, gridDefaults, groupGrid, hasCodebook, withGrid } from "./grids/asked-grid.ts";
export type { GridValues, GroupValues } from "./grids/asked-grid.ts";
export {
  choosesGrids,
  excludedByBlocks,
  gridOptionNames,
  sharedGroupOptions,
  solverOptions,
  withoutGroups,
} from "./grids/grid-options.ts";
export { embeddingsChoices, embeddingsOptions, embeddingsValues } from "./grids/asked-grid.ts";
export {
  canSplitRows,
  hasSeparableRows,
  countRowShards,
  rowsOfShard,
  simplerSolver,
  splitLongRows,
  splitRows,
  weightsAtATime,
} from "./row-parts.ts";
export { joinRows, rowsOf } from "./row-slices.ts";
export type { RowRange } from "./row-slices.ts";
export { agreementFault, nonfiniteValue, shapeFault } from "./contract/solution-fault.ts";
export { dependentDefaults, prunesWeights, solverFailure } from "./contract/solver-calls.ts";
export { solvers } from "./solver-map.ts";
