export { conformanceSuite } from "./conformance-suite.ts";
export type { ConformanceCheck, ConformanceSettings } from "./conformance-suite.ts";
export { plainBlas } from "./plain-blas.ts";
export { ConformanceError } from "./requirements.ts";
