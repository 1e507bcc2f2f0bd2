import type { Command } from "commander";

/** What a command is given: its own arguments are left to commander. */
export interface CommandContext {
  /** Fires when the user wants to stop. */
  readonly signal: AbortSignal;
  readonly argv: readonly string[];
}

/** A command before its module is loaded: help must answer at once. */
export interface CommandEntry {
  readonly summary: string;
  readonly load: () => Promise<(context: CommandContext) => Command | Promise<Command>>;
}
