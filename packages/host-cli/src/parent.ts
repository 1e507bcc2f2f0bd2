/** What a command tells the server that runs it as a child: how it failed, or what its user should see. */
export interface ChildReport {
  readonly tag?: string;
  readonly message?: string;
  readonly warning?: string;
}

const nothing = (): void => {};

/**
 * Sends a report over the channel to the parent process, if there is one.
 *
 * @param done called when it is on its way, or at once where nobody listens
 */
export function tellParent(report: ChildReport, done: () => void = nothing): void {
  if (process.send && process.connected) process.send(report, undefined, undefined, done);
  else done();
}
