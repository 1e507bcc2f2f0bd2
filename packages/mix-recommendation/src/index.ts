export { createMix } from "./mix-stage.ts";
export type { MixStages } from "./mix-trial.ts";
export type { MixCost } from "./recommend-mix.ts";
