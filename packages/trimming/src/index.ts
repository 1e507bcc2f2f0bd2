export { wholeSize } from "./part-sizes.ts";
export type { PartSizes } from "./part-sizes.ts";
export { trim, trimmingOptions } from "./trim-stage.ts";
export { reportVocabulary } from "./vocabulary-report.ts";
export type { ComparedText, LanguageVocabulary, VocabularyReport } from "./vocabulary-report.ts";
