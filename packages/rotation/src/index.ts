export { rotateStatistics } from "./rotate-statistics-stage.ts";
export { rotate } from "./rotate-stage.ts";
