export { main } from "./main.ts";
export { stages } from "./stages.ts";
