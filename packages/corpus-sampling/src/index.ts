export { countSegments } from "./counts.ts";
export { LanguagePool } from "./language-pool.ts";
export type { PoolOptions, SegmentText, Shortage } from "./language-pool.ts";
export { sample } from "./sample-stage.ts";
