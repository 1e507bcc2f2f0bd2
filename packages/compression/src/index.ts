export { allocate } from "./allocate-stage.ts";
export { compress } from "./compress-stage.ts";
export { joinLayers } from "./join-layers-stage.ts";
export { solveSite } from "./site/solve-site.ts";
export type { SolverChoice } from "./site/solve-site.ts";
export { predictGgufBytes, predictGgufParts } from "./predicted-bytes.ts";
