export { stages } from "./stages.ts";
export { main } from "./main.ts";
