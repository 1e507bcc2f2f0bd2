export { add } from "./add-stage.ts";
export { capture } from "./capture-stage.ts";
export { propagate } from "./propagate-stage.ts";
