import type { ErrorTag } from "./errors.ts";

/**
 * Stands on the command line of a child process for the arguments that its parent sends over the channel: the system
 * limits what a command line holds (128 KiB an argument on Linux).
 */
export const argumentsFromParent = "--arguments-from-parent";

/** The first message from a parent to a child that was started with `argumentsFromParent`. */
export interface ChildArguments {
  readonly arguments: readonly string[];
}

/** What a child tells its parent: how it failed, what its user should see, whether it waits for its standard input. */
export interface ChildReport {
  readonly tag?: ErrorTag;
  readonly message?: string;
  readonly warning?: string;
  readonly waitsForInput?: boolean;
}
