export { solvers } from "./solver-map.ts";
export { loadSolver } from "./load-solver.ts";
