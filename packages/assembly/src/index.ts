export { assemble } from "./assemble-stage.ts";
export type { CardResults, CardRow, CardScore } from "./card-results.ts";
export { describeModel } from "./describe-model.ts";
export { formatSize, formatSizeReport, sizeReport } from "./size-report.ts";
export type { SizeReport } from "./size-report.ts";
