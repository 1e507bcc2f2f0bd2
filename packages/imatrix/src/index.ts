export { imatrix } from "./imatrix-stage.ts";
export { readImatrix } from "./read-imatrix-stage.ts";
