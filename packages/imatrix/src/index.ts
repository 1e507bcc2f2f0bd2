export { imatrix } from "./imatrix-stage.ts";
