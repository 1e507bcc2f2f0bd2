export { distributionFile } from "./distribution-file.ts";
export { estimateDistribution } from "./estimate-distribution.ts";
export type { DistributionEstimate, EstimateOptions, LanguageEstimate } from "./estimate-distribution.ts";
export { compareWithLosses } from "./losses/loss-comparison.ts";
export type { LanguageFit, LossComparison } from "./losses/loss-comparison.ts";
export { shareErrors } from "./share-errors.ts";
export type { ShareErrors } from "./share-errors.ts";
export { textBytes, textEntropies } from "./losses/text-entropies.ts";
