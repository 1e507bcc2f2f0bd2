export { allocate } from "./allocate-stage.ts";
export { compress } from "./compress-stage.ts";
export { solveSite } from "./solve-site.ts";
export type { SolverChoice } from "./solver-choice.ts";
