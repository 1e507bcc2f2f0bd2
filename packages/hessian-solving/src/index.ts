export { mixSites } from "./mixed-site.ts";
export type { MixedSite } from "./mixed-site.ts";
export { climbLadder } from "./rescue-ladder.ts";
export type { Engines, LadderInput, LadderResult } from "./rescue-ladder.ts";
export { factor } from "./factor-stage.ts";
