export { buildReport } from "./build-report.ts";
export type { ReportOptions } from "./build-report.ts";
export { collectArtifacts } from "./collected.ts";
export type { Collected, ReportInput } from "./collected.ts";
export { diagnoseArtifacts } from "./diagnosis/diagnose.ts";
export type { Diagnosis } from "./diagnosis/diagnose.ts";
export type { CompareShares, SharesAgainstLosses } from "./diagnosis/shares-against-losses.ts";
export { diagnosisText } from "./diagnosis/diagnosis-text.ts";
export type { Evidence, Finding, Remedy, Signature } from "./diagnosis/finding.ts";
export type { MeasuredRise } from "./diagnosis/rises.ts";
export { damageReport } from "./damage/damage-report.ts";
export type { DamageReport } from "./damage/damage-report.ts";
export { damageTable } from "./damage/damage-table.ts";
export { escapeHtml } from "./escape-html.ts";
export { ExpertUsage, languageUsage, starvedExperts } from "./experts/expert-usage.ts";
export type { BlockExperts, LanguageExperts, LanguageUsage, StarvedExpert } from "./experts/expert-usage.ts";
export { reportByTrainingShare } from "./language-order.ts";
export { mixesReport } from "./mixes/mixes-report.ts";
export type { MixesReport, ReportedMix } from "./mixes/mixes-report.ts";
export { mixesTable } from "./mixes/mixes-table.ts";
export {
  formatAgreement,
  formatCorrelation,
  formatInterval,
  formatNumber,
  formatNumberInterval,
  formatRise,
  formatShare,
  formatShareInterval,
} from "./numbers.ts";
export type { RecipeText } from "./origin-sections.ts";
export { formatPage } from "./page/page.ts";
export { plotPredictions } from "./plots/prediction-plot.ts";
export type { PredictionPoint } from "./plots/prediction-plot.ts";
export { plotRises } from "./scores/rises-plot.ts";
export type { RiseBar } from "./scores/rises-plot.ts";
export type { ScoresView } from "./scores/scored-artifact.ts";
export { scoresTable } from "./scores/scores-table.ts";
export { csvFiles, svgFiles } from "./page/section-files.ts";
export type { SectionFile } from "./page/section-files.ts";
export type { CaptionedTable, DataRow, Page, Part, Plot, Section } from "./page/section.ts";
export { distanceToMix, parseSite, similarityMatrix } from "./similarity/similarity-matrix.ts";
export type { SimilarityMatrix } from "./similarity/similarity-matrix.ts";
export { plotSimilarity } from "./similarity/similarity-plot.ts";
export type { SimilarityChoice } from "./similarity/similarity-sections.ts";
export { matrixTable, similarityTable } from "./similarity/similarity-table.ts";
export { formatTable, headings } from "./terminal/table.ts";
export type { TextTable } from "./terminal/table.ts";
export { riseBar, riseBarText, wrapLines } from "./terminal/terminal-text.ts";
export { verdict } from "./summary/verdict.ts";
export type { Contender } from "./summary/verdict.ts";
