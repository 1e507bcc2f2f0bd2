export { assemble } from "./assemble-stage.ts";
export { formatNames } from "./formats.ts";
export type { CardResults } from "./card/results.ts";
export { describeModel } from "./card/model-card.ts";
export { formatSize, formatSizeReport, sizeReport } from "./card/size-report.ts";
export { formatSparsities, sparsityText } from "./card/sparsity-text.ts";
export type { SizeReport } from "./card/size-report.ts";
export { allocatedStorage, countStorage, differingStorage, formatStorage } from "./card/storage-counts.ts";
export type { StorageCounts, StoredTensor } from "./card/storage-counts.ts";
