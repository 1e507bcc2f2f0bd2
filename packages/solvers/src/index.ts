export { dependentDefaults } from "./dependent-defaults.ts";
export { isSolverPath, loadSolver } from "./load-solver.ts";
export { outputByRow } from "./output-error.ts";
export type { InputMoment } from "./output-error.ts";
export { agreementMisfit, nonfiniteValue, shapeMisfit } from "./solution-misfit.ts";
export { solverFailure } from "./solver-failure.ts";
export { solvers } from "./solver-map.ts";
export { settled } from "./settled.ts";
