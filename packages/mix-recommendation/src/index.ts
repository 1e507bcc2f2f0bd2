export { lawError, lossAt, lossExponent } from "./loss-law.ts";
export type { MeasuredLoss } from "./loss-law.ts";
export { mix } from "./mix-stage.ts";
