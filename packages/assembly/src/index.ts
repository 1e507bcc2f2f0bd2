export { assemble } from "./assemble-stage.ts";
