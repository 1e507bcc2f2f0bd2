import type { ErrorTag } from "./errors.ts";

/**
 * On the command line of a child process: its parent sends the arguments over the IPC channel, since the system limits
 * the length of a command line (128 KiB an argument on Linux).
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
