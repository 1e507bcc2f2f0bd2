export { compareLanguages } from "./compare-languages.ts";
export type { LanguagePair } from "./compare-languages.ts";
export { predict } from "./predict-stage.ts";
export { similarity } from "./similarity-stage.ts";
