import { spawn } from "node:child_process";
import type { ChildProcess, StdioOptions } from "node:child_process";
import { once } from "node:events";
import { InputOutputError } from "./errors.ts";

/** What helps where the system starts no process, by the code of its error. @param fewer as below */
const remedies = (fewer: string): Readonly<Record<string, string>> => ({
  EAGAIN: `raise the limit of processes (ulimit -u), or ${fewer}`,
  EMFILE: `raise the limit of open files (ulimit -n), or ${fewer}`,
  ENFILE: `the system has no open files left: end other programs, or ${fewer}`,
  ENOMEM: `memory is short: end other programs, or ${fewer}`,
  ENOENT: "the program is not there: if it was replaced since this one was started, start again",
  EACCES: "give the program the permission to be executed",
});

/**
 * Starts a process.
 *
 * @param what it is, for messages: "worker 1"
 * @param fewer what takes less of the machine, for messages: "run fewer workers on this machine"
 * @throws {InputOutputError} where the system starts none; its message has the code of the system's error and no path
 */
export async function startProcess(
  what: string,
  [program = "", ...words]: readonly string[],
  stdio: StdioOptions,
  fewer: string,
): Promise<ChildProcess> {
  let refusal: unknown;
  try {
    const child = spawn(program, words, { stdio });
    if (child.pid !== undefined) return child;
    // said one tick later: without a listener by then, it would end this program
    [refusal] = await once(child, "error");
  } catch (cause) {
    // some refusals are thrown at once, such as ENOMEM
    refusal = cause;
  }
  const { code = "" } = refusal as NodeJS.ErrnoException;
  const remedy = remedies(fewer)[code] ?? `try again, or ${fewer}`;
  throw new InputOutputError(`${what} could not be started (${code}); ${remedy}`, { program, code }, { cause: refusal });
}
