import type { Command } from "commander";

/** Commands that are no stage. Modules are loaded only when a command is used. */
export const commands: ReadonlyMap<
  string,
  { readonly summary: string; readonly load: (signal: AbortSignal) => Promise<Command> }
> = new Map([
  [
    "demo",
    {
      summary: "Compress the controlled model and show what each calibration mix does to each language.",
      load: async (signal: AbortSignal) => (await import("./demo/demo-command.ts")).demoCommand(signal),
    },
  ],
]);
