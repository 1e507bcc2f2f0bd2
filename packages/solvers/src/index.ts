export { loadSolver } from "./contract/load-solver.ts";
export { factorOptionsFor, plannedCodesOf, readSolver } from "./contract/read-solver.ts";
export { outputByRow, outputsByRow } from "./output-error.ts";
export type { InputMoment } from "./output-error.ts";
export {
  canSplitRows,
  hasSeparableRows,
  joinRows,
  countRowShards,
  rowsOf,
  rowsOfShard,
  simplerSolver,
  splitRows,
} from "./row-parts.ts";
export type { RowRange } from "./row-parts.ts";
export { agreementMisfit, nonfiniteValue, shapeMisfit } from "./contract/solution-misfit.ts";
export { dependentDefaults, solverFailure } from "./contract/solver-calls.ts";
export { solvers } from "./solver-map.ts";
