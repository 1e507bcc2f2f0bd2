export { calibrationCorpora, calibrationLanguage, calibrationLanguages } from "./calibration-texts.ts";
export type { CalibrationFile, CalibrationLanguage } from "./calibration-texts.ts";
export { textSources } from "./sources.ts";
export type { Part, SourceName, TextSource, Tier } from "./sources.ts";
