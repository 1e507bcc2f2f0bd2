export { compareLanguages } from "./similarity/compare-languages.ts";
export type { LanguagePair } from "./similarity/compare-languages.ts";
export { predict } from "./predict/predict-stage.ts";
export { similarity } from "./similarity/similarity-stage.ts";
