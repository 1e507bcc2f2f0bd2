/** Command of a process that runs nodes for `mbs run`, which talks to it over a channel. */
export const workerCommand = "run-worker";
export const offlineFlag = "--offline";

/** The program and arguments that start one. */
export const workerProgram = (offline: boolean): readonly string[] => [
  process.execPath,
  ...process.execArgv,
  process.argv[1] ?? "",
  workerCommand,
  ...(offline ? [offlineFlag] : []),
];
