export { demoCommand } from "./demo-command.ts";
export { fullPlan, quickPlan } from "./demo-plan.ts";
export { runDemo } from "./run-demo.ts";
export type { DemoOptions, DemoOutcome } from "./run-demo.ts";
