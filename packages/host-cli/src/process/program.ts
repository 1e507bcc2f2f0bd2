import { format } from "node:util";
import { InternalError, InterruptedError } from "@mbs/contracts";
import type { MbsError } from "@mbs/contracts";
import { CommanderError } from "commander";
import { exitCodes, oneLine, toMbsError } from "./failure.ts";
import { letHeapGrow } from "./heap-growth.ts";
import { watchInterrupts } from "./interrupt-watch.ts";
import { logText, withoutQuoted } from "./log-line.ts";
import { tellParent } from "./parent-process.ts";

const signalCodes = { SIGINT: 130, SIGTERM: 143 } as const;

const wholeStack = ({ stack, message }: Error): string => stack ?? message;

/** Without what the message quotes. */
function discreetStack({ name, message, stack = "" }: Error): string {
  const frames = stack.indexOf("\n    at ");
  return `${name}: ${withoutQuoted(message)}${frames < 0 ? "" : stack.slice(frames)}`;
}

function causes(error: unknown, stackOf: (error: Error) => string): string {
  if (!(error instanceof Error)) return "";
  const stack = stackOf(error);
  return error.cause === undefined ? stack : `${stack}\ncaused by: ${causes(error.cause, stackOf)}`;
}

/** Whether a thread of the pool is at work on a file. */
const usesFiles = (): boolean => process.getActiveResourcesInfo().some((name) => name.startsWith("FSReq"));

/**
 * Ends the process at once. process.exit() waits for threads of the pool. A thread that opens a FIFO without a writer never
 * returns; then the signal's default action ends the process, and a shell sees the same code.
 */
function endNow(signal: keyof typeof signalCodes): void {
  if (!usesFiles()) process.exit(signalCodes[signal]);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

/** Gives what third-party code warns of on the console the form of our own warnings; what it repeats is said once. */
function formConsoleWarnings(name: string, { logJson, quiet }: ProgramOptions): void {
  const said = new Set<string>();
  console.warn = (...parts: unknown[]): void => {
    const message = format(...parts).trim();
    if (quiet === true || said.has(message)) return;
    said.add(message);
    const line =
      logJson === true ? logText(name, { level: "warn", event: "warning", message }) : `${name}: warning: ${message}\n`;
    process.stderr.write(line);
  };
}

/** What a command was asked for, as far as its process must know. */
export interface ProgramOptions {
  /** Whether stacks are shown. */
  readonly debug: boolean;
  /** Whether standard error is a structured log. */
  readonly logJson?: boolean;
  /** Whether warnings are left out. */
  readonly quiet?: boolean;
}

/** Milliseconds in which SIGTERM comes twice where one is meant: `timeout` and batch systems signal the process and then its group. */
const oneSignalMs = 100;

/** Milliseconds for reads and writes that have begun when a signal ends the process. */
const fileGraceMs = 100;

/** How a program ends: its last line on standard error, and the exit code. */
class ProgramEnd {
  readonly #name: string;
  readonly #options: ProgramOptions;
  readonly #controller = new AbortController();
  #stoppedBy: keyof typeof signalCodes | undefined;
  #stoppedAt = 0;
  /** Whether an end without more to say is right. */
  #ended = false;
  /** The line on a second signal. */
  readonly again: string;

  constructor(name: string, options: ProgramOptions) {
    this.#name = name;
    this.#options = options;
    const message = "interrupted again, stopping at once; no output is half written, run the command again";
    this.again =
      options.logJson === true ? logText(name, { level: "warn", event: "interrupted", message }) : `${name}: ${message}\n`;
  }

  /** Fires at the first interrupt. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  interrupt(signal: keyof typeof signalCodes): void {
    const stoppedBy = this.#stoppedBy;
    if (stoppedBy) {
      if (signal === "SIGTERM" && stoppedBy === "SIGTERM" && performance.now() - this.#stoppedAt < oneSignalMs) return;
      process.stderr.write(this.again);
      endNow(signal);
    }
    this.#stoppedBy = signal;
    this.#stoppedAt = performance.now();
    this.#controller.abort(new InterruptedError(`stopped by ${signal}`));
  }

  fail(thrown: unknown): void {
    this.#ended = true;
    if (thrown instanceof CommanderError && thrown.exitCode === 0) process.exit(0);
    const stoppedBy = this.#stoppedBy;
    const { debug, logJson } = this.#options;
    // what has done a part says how to go on
    const goesOn = thrown instanceof InterruptedError && thrown.facts["done"] !== undefined;
    const error =
      stoppedBy && !goesOn ? new InterruptedError(`stopped by ${stoppedBy}`, {}, { cause: thrown }) : toMbsError(thrown);
    // A reader that closes the pipe early is no error: head and less do it all the time.
    if (error.tag !== "broken-pipe") process.stderr.write(this.#text(error, thrown));
    if (debug && logJson !== true) process.stderr.write(`${causes(thrown, wholeStack)}\n`);
    tellParent({ tag: error.tag, message: error.message }, () => {
      if (this.#stoppedBy === undefined) process.exit(exitCodes[error.tag]);
      setTimeout(endNow, usesFiles() ? fileGraceMs : 0, this.#stoppedBy);
    });
  }

  /** Ends the process after the command has done its work. */
  succeed(): void {
    this.#ended = true;
    if (this.#stoppedBy === undefined) process.exit(0);
    // what finishes its work when it is told to leave, as a worker does
    process.stderr.write(this.#text(new InterruptedError(`stopped by ${this.#stoppedBy}`)));
    process.exit(signalCodes[this.#stoppedBy]);
  }

  /** Third-party code may call process.exit(0): that is no success. */
  checkExit(code: number): void {
    if (this.#ended || code !== 0) return;
    const message = "ended by code that it ran, without a result; look for process.exit in your own solver or stage";
    process.stderr.write(this.#text(new InternalError(message)));
    process.exitCode = exitCodes.internal;
  }

  #text(error: MbsError, thrown?: unknown): string {
    const { debug, logJson } = this.#options;
    if (logJson !== true) return oneLine(this.#name, error);
    const { tag, message } = error;
    const level = tag === "interrupted" ? "info" : "error";
    const stack = debug && thrown !== undefined ? causes(thrown, discreetStack) : undefined;
    const code = this.#stoppedBy === undefined ? exitCodes[tag] : signalCodes[this.#stoppedBy];
    return logText(this.#name, { level, event: "ended", tag, code, message, stack });
  }
}

/** Handles each event of the process that may end it. */
function watchProcess(end: ProgramEnd): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => end.interrupt(signal));
  // Without a handler, a limit on file sizes (ulimit -f) kills the process; with one, the write fails and is cleaned up.
  process.on("SIGXFSZ", () => undefined);
  const fail = (thrown: unknown): void => end.fail(thrown);
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);
  // With a promise that never settles Node runs out of work and would exit with 0. The error is raised one turn later:
  // code that waits for third-party code reports it better, by its own beforeExit handler.
  let ranDry = false;
  process.on("beforeExit", () => {
    if (ranDry) fail(new InternalError("ended without a result: a promise never settled (a bug)"));
    ranDry = true;
    setImmediate(() => undefined);
  });
  process.on("exit", (code) => end.checkExit(code));
  // Where standard error is closed, nobody can be told.
  process.stderr.on("error", () => undefined);
  // A child must not outlive its server.
  process.on("disconnect", () => process.exit(exitCodes.interrupted));
}

/**
 * Runs a command as a process: signals, the one line on standard error and the exit code.
 *
 * The first SIGINT or SIGTERM fires the signal and leaves the command time to clean up, the second ends at once; a
 * second SIGTERM that comes with the first is the same one.
 *
 * @param name how the command calls itself, "mbs capture"
 * @param action what it does. Once `watched` resolves, which takes as long as loading some modules, a second SIGINT ends the
 * process whatever it does: work that may not return to the event loop waits for it
 */
export async function runProgram(
  name: string,
  options: ProgramOptions,
  action: (signal: AbortSignal, watched: Promise<void>) => Promise<void>,
): Promise<void> {
  letHeapGrow();
  formConsoleWarnings(name, options);
  const end = new ProgramEnd(name, options);
  watchProcess(end);
  try {
    await action(end.signal, watchInterrupts(end.again));
  } catch (error) {
    end.fail(error);
    return;
  }
  end.succeed();
}
