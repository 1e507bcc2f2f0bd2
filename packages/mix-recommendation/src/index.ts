export { mix } from "./mix-stage.ts";
