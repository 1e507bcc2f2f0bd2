import type { ChildProcess } from "node:child_process";
import { constants, setPriority } from "node:os";
import type { Readable, Writable } from "node:stream";
import {
  BrokenPipeError,
  InternalError,
  InterruptedError,
  argumentsFromParent,
  optionFlag,
  errorOfTag,
  isErrorTag,
  startProcess,
} from "@mbs/contracts";
import type { ChildArguments, ChildReport, MbsError } from "@mbs/contracts";
import type { OptionValue } from "../protocol/option-values.ts";

/** How long a child may take to clean up before it is killed. */
const graceMs = 1000;

/** One stage run, as the arguments of the command line. */
export interface ChildRun {
  /** Program and arguments in front of the stage's name. */
  readonly command: readonly string[];
  readonly stage: string;
  readonly options: Readonly<Record<string, OptionValue>>;
  readonly threads: number;
  /** Whether the first input comes on standard input. */
  readonly readsInput: boolean;
  /** Paths of the other inputs by name. */
  readonly inputs: Readonly<Record<string, readonly string[]>>;
  /** Where the outputs go, by flag; `-` is standard output. */
  readonly outputs: Readonly<Record<string, string>>;
}

/** A stage at work in a process of its own. */
export interface StageChild {
  readonly process: ChildProcess;
  readonly input: Writable;
  readonly output: Readable;
  readonly warnings: readonly string[];
  /** Resolves when it ended well, rejects with what it reported. */
  readonly ended: Promise<void>;
}

/** A flag and its value are one word: as a word of its own, a value could be read as another flag. */
function optionWords(name: string, value: OptionValue): string[] {
  const flag = optionFlag(name);
  if (typeof value === "boolean") return [value ? flag : flag.replace(/^--/, "--no-")];
  const values = typeof value === "object" ? value : [value];
  return values.map((each) => `${flag}=${each}`);
}

const fileWords = (paths: Readonly<Record<string, readonly string[]>>): string[] =>
  Object.entries(paths).flatMap(([name, list]) => optionWords(name, list));

/** The arguments behind the stage's name, as a command line would have them. */
export function childArguments({ options, threads, readsInput, inputs, outputs }: ChildRun): string[] {
  return [
    ...Object.entries(options).flatMap(([name, value]) => optionWords(name, value)),
    ...fileWords(inputs),
    ...Object.entries(outputs).flatMap(([name, path]) => optionWords(name, path)),
    ...optionWords("threads", threads),
    ...(readsInput ? ["-"] : []),
  ];
}

/** Lets the server answer other calls first: they take milliseconds, and stages seconds. */
function yieldToServer({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // it has ended already, or the system does not allow it
  }
}

/** @param said the end of what the process wrote to standard error: of a bug or crash the server's log has it */
function failure(code: number | null, signal: string | null, report: MbsError | undefined, said: string): MbsError {
  if (report !== undefined && !(report instanceof InternalError)) return report;
  const how = signal ? `was ended by ${signal}` : `ended with code ${code}`;
  return new InternalError(report?.message ?? `the stage's process ${how}`, { said: said.slice(-2000) });
}

/**
 * Starts a stage in a child process: native code can neither block nor take down the server.
 *
 * @param signal ends the child: SIGTERM, and SIGKILL a second later
 * @param onWait called with true when the stage begins to wait for its input, with false when it goes on
 * @throws {InputOutputError} where the system starts no process
 */
export async function startChild(run: ChildRun, signal: AbortSignal, onWait: (waits: boolean) => void): Promise<StageChild> {
  const what = `the server's process of stage ${run.stage}`;
  const command = [...run.command, run.stage, argumentsFromParent];
  const child = await startProcess(what, command, ["pipe", "pipe", "pipe", "ipc"], "give mbs serve fewer --children");
  yieldToServer(child);
  const { stdin, stdout, stderr } = child;
  if (!stdin || !stdout || !stderr) throw new InternalError("a child process was started without pipes");
  const warnings: string[] = [];
  let report: MbsError | undefined;
  let log = "";
  // Fails where the child has ended: `ended` reports that.
  child.send({ arguments: childArguments(run) } satisfies ChildArguments, () => undefined);
  // what does not reach a child that has gone: `ended` says how it went
  child.on("error", () => undefined);
  child.on("message", (message: ChildReport) => {
    if (isErrorTag(message.tag)) report = errorOfTag(message.tag, String(message.message));
    if (typeof message.warning === "string" && warnings.length < 1000) warnings.push(message.warning);
    if (typeof message.waitsForInput === "boolean") onWait(message.waitsForInput);
  });
  stderr.setEncoding("utf8").on("data", (text: string) => (log = (log + text).slice(-8000)));
  // A write to a child that has ended fails: `ended` says why.
  stdin.on("error", () => undefined);

  const stop = (): void => {
    child.kill("SIGTERM");
    setTimeout(() => child.kill("SIGKILL"), graceMs).unref();
  };
  const ended = new Promise<void>((resolve, reject) => {
    child.on("close", (code, by) => {
      signal.removeEventListener("abort", stop);
      if (code === 0) resolve();
      else if (signal.aborted) reject(new InterruptedError("the call was cancelled"));
      else reject(failure(code, by, report, log));
    });
  });
  ended.catch(() => undefined);
  if (signal.aborted) stop();
  else signal.addEventListener("abort", stop, { once: true });
  return { process: child, input: stdin, output: stdout, warnings, ended };
}

/**
 * Feeds bytes to a stream as fast as it takes them, and closes it.
 *
 * @throws {BrokenPipeError} when its reader is gone
 */
export async function feed(target: Writable, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of bytes) {
    await new Promise<void>((resolve, reject) => {
      target.write(chunk, (error) =>
        error ? reject(new BrokenPipeError("the reader went away", {}, { cause: error })) : resolve(),
      );
    });
  }
  target.end();
}
