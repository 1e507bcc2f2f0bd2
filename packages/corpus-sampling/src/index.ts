export { countSegments } from "./counts.ts";
export { LanguagePool } from "./language-pool.ts";
export type { PoolOptions, SegmentText } from "./language-pool.ts";
export { parseMix } from "./mix.ts";
export type { Mix } from "./mix.ts";
export { sample } from "./sample-stage.ts";
export { sharesOf } from "./shares.ts";
export type { ShareSources } from "./shares.ts";
