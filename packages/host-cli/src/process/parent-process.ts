import { argumentsFromParent } from "@mbs/contracts";
import type { ChildArguments, ChildReport } from "@mbs/contracts";

const nothing = (): void => {};

/**
 * Sends a report over the channel to the parent process, if there is one.
 *
 * @param done called when it was handed to the channel, or at once without a parent
 */
export function tellParent(report: ChildReport, done: () => void = nothing): void {
  if (process.send && process.connected) process.send(report, undefined, undefined, done);
  else done();
}

/**
 * The arguments of this process: those of its command line. Where it ends with `argumentsFromParent`, those that the parent
 * sends take its place.
 *
 * @param given the command line, without the program
 */
export async function allArguments(given: readonly string[]): Promise<readonly string[]> {
  if (given.at(-1) !== argumentsFromParent || !process.connected) return given;
  const sent = await new Promise<ChildArguments>((resolve) => process.once("message", resolve as (message: unknown) => void));
  return [...given.slice(0, -1), ...sent.arguments];
}

/** Milliseconds of waiting for standard input after which the parent is notified. */
const waitMs = 250;

/** Waits for more of standard input; tells the parent when that takes long, and when it is over. */
export async function waitForInput<T>(next: Promise<T>): Promise<T> {
  if (!process.connected) return next;
  let told = false;
  const timer = setTimeout(() => {
    told = true;
    tellParent({ waitsForInput: true });
  }, waitMs);
  try {
    return await next;
  } finally {
    clearTimeout(timer);
    if (told) tellParent({ waitsForInput: false });
  }
}
