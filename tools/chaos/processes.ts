import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";

/** Variable of the environment by which a process and all that it starts are found, also when it has gone. */
const markName = "MBS_CHAOS_MARK";

/** Milliseconds after which what a killed process has started must be gone, also on a machine where its start takes half a minute. */
const orphanMs = 120_000;

let count = 0;
/** Those that must not outlive this process. */
const alive = new Set<number>();

process.on("exit", () => {
  for (const pid of alive) kill(pid);
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

/** A process that may be killed at any time. */
export interface Marked {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly mark: string;
  /** Code, or null where a signal has ended it. */
  readonly ended: Promise<number | null>;
  /** The last of what it wrote to standard error. */
  readonly said: () => string;
}

/** @param onLine called with each line of both outputs */
export function start(
  [program, ...words]: readonly [string, ...string[]],
  options: { readonly environment?: NodeJS.ProcessEnv; readonly onLine?: (line: string) => void } = {},
): Marked {
  const { environment = {}, onLine } = options;
  const mark = `${process.pid}-${(count += 1)}`;
  const child = spawn(program, words, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...environment, [markName]: mark },
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${program} could not be started`);
  alive.add(pid);
  child.once("exit", () => alive.delete(pid));
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    let rest = "";
    stream.on("data", (data: Buffer) => {
      if (stream === child.stderr) said = (said + data.toString()).slice(-4000);
      const lines = (rest + data.toString()).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) onLine?.(line);
    });
  }
  // children of it have the other ends of its outputs too, so those may close later
  const ended = new Promise<number | null>((done) => child.once("exit", done));
  return { child, pid, mark, ended, said: () => said };
}

/** The first processor that this process may run on. */
const [firstProcessor = "0"] = /^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.slice(1) ?? [];

/** Node's command and arguments, on all processors or on one alone, as on a smaller machine. */
export const nodeOn = (processors: "all" | "one", words: readonly string[]): readonly [string, ...string[]] =>
  processors === "all" ? [process.execPath, ...words] : ["taskset", "--cpu-list", firstProcessor, process.execPath, ...words];

/** Whether a process is there: not even as one whose end nobody has asked for. */
async function isThere(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  return status !== undefined && !/\) [ZX] /.test(status);
}

/** The processes with a mark that are there; Linux alone. */
export async function processesOf(mark: string): Promise<number[]> {
  const entry = `${markName}=${mark}`;
  const all = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const own = await Promise.all(
    all.map(async (pid) => {
      const environment = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
      return environment.split("\0").includes(entry) && (await isThere(pid));
    }),
  );
  return all.filter((_, index) => own[index]).toSorted((one, other) => one - other);
}

/** Ends a process; one that has gone already is no error. @returns whether it was there */
export function kill(pid: number, signal: NodeJS.Signals = "SIGKILL"): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}

/** Waits until all that a process has started is gone; ends what stays. @returns how many stayed */
export async function orphansOf({ mark }: Marked): Promise<number> {
  for (const until = performance.now() + orphanMs; ;) {
    const there = await processesOf(mark);
    if (there.length === 0) return 0;
    if (performance.now() > until) {
      for (const pid of there) {
        const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
        console.error(`ORPHAN: process ${pid}: ${command.replaceAll("\0", " ")}`);
        kill(pid);
      }
      return there.length;
    }
    await wait(100);
  }
}
