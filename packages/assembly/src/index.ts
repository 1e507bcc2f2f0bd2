export { assemble } from "./assemble-stage.ts";
export { formatSizeReport, sizeReport } from "./size-report.ts";
export type { SizeReport } from "./size-report.ts";
