/** Command of a process that runs steps for `mbs run`, which talks to it over a channel. */
export const workerCommand = "run-worker";
export const offlineFlag = "--offline";
