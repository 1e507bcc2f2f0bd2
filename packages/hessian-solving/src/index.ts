export { mixSites } from "./mixed-site.ts";
export type { MixedSite } from "./mixed-site.ts";
export { factoriseWithRetries } from "./factor-attempts.ts";
export type { Engines, FactorAttemptInput, FactorAttemptResult } from "./factor-attempts.ts";
export { factor } from "./factor-stage.ts";
