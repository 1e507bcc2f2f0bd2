import { Worker } from "node:worker_threads";

/** Milliseconds that the command has to end by itself at the second SIGINT. */
const graceMs = 500;

/**
 * Waits for SIGINT, hands it on, and ends the process after the second one. `breakOnSigint` is what Node has to notice a signal
 * in a thread: it ends the script, here a wait without end. While no such script runs, SIGINT has its default action.
 */
const watch = `
  const { writeSync } = require("node:fs");
  const { Script } = require("node:vm");
  const { parentPort, workerData } = require("node:worker_threads");
  const cell = new Int32Array(new SharedArrayBuffer(4));
  globalThis.pause = (milliseconds) => Atomics.wait(cell, 0, 0, milliseconds);
  globalThis.tell = (message) => parentPort.postMessage(message);
  const untilInterrupt = new Script("tell(news); pause()");
  // the script reports the first SIGINT: who sends the second as soon as that is known finds it caught
  for (globalThis.news of ["ready", "SIGINT"]) {
    try {
      untilInterrupt.runInThisContext({ breakOnSigint: true });
    } catch {}
  }
  tell("SIGINT");
  pause(workerData.graceMs);
  try {
    writeSync(2, workerData.message);
  } catch {}
  process.kill(process.pid, "SIGINT");
`;

/**
 * Ends the process within a second of the second SIGINT, whatever it does. Handlers of signals run on the event loop, to which
 * a loop without end or native code does not return; so a thread takes SIGINT and has the handlers called.
 *
 * @param message a line for standard error where the command did not end by itself
 * @returns when it has begun; before, and where no thread can be started, Node calls the handlers
 */
export async function watchInterrupts(message: string): Promise<void> {
  try {
    // flags of the process are not for it: loaders would take longer than all the rest
    const worker = new Worker(watch, { eval: true, execArgv: [], workerData: { graceMs, message } });
    await new Promise<void>((resolve, reject) => {
      worker.on("message", (told) => {
        if (told === "SIGINT") process.emit("SIGINT", "SIGINT");
        else resolve();
      });
      worker.on("error", reject);
    });
    worker.unref();
  } catch {}
}
