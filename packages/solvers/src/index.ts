export { dependentDefaults } from "./contract/dependent-defaults.ts";
export { isSolverPath, loadSolver } from "./contract/load-solver.ts";
export { outputByRow } from "./output-error.ts";
export type { InputMoment } from "./output-error.ts";
export { agreementMisfit, nonfiniteValue, shapeMisfit } from "./contract/solution-misfit.ts";
export { solverFailure } from "./contract/solver-calls.ts";
export { solvers } from "./solver-map.ts";
export { settled } from "./contract/settled.ts";
