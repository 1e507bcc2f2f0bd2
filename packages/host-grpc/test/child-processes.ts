import { execFile } from "node:child_process";
import { performance } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";

/** Command lines of the stages that run now as children of a process. */
export async function childrenNow(parent = process.pid): Promise<string[]> {
  const { stdout } = await promisify(execFile)("ps", ["-A", "-o", "ppid=,stat=,args="]);
  return stdout
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line.startsWith(`${parent} `) && line.includes("program.js") && !/^\d+ Z/.test(line));
}

/** Waits until so many run. */
export async function untilChildren(count: number): Promise<void> {
  const end = performance.now() + 60_000;
  while ((await childrenNow()).length !== count) {
    if (performance.now() > end) throw new Error(`not ${count} children: ${(await childrenNow()).join("; ")}`);
    await delay(20);
  }
}

/**
 * Throws unless all children are gone within two seconds. A machine with much else to do takes longer for everything: what
 * it needs for the start and the end of a few processes is granted on top.
 */
export async function childrenGone(): Promise<void> {
  const started = performance.now();
  await childrenNow();
  const grace = 2000 + 10 * (performance.now() - started);
  while (performance.now() - started < grace) if ((await childrenNow()).length === 0) return;
  throw new Error(`still there after ${Math.round(grace)} ms: ${(await childrenNow()).join("; ")}`);
}
