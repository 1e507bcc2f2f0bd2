export { evaluate } from "./evaluate-stage.ts";
