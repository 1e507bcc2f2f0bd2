import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** What a child is started with. */
export interface ChildSettings {
  /** Put before node and its arguments, such as a program that makes a PID namespace. */
  readonly before?: readonly string[];
  readonly stderr?: "inherit" | "ignore";
}

/** Starts a script of this folder from source and waits for its first line. */
export async function startChild(
  script: string,
  parameters: readonly string[] = [],
  settings: ChildSettings = {},
): Promise<ChildProcess> {
  const { before = [], stderr = "inherit" } = settings;
  const path = fileURLToPath(new URL(script, import.meta.url));
  const node = [process.execPath, "--conditions=mbs-source", "--import", "tsx", path, ...parameters];
  const [program = "", ...rest] = [...before, ...node];
  const child = spawn(program, rest, { stdio: ["ignore", "pipe", stderr] });
  await Promise.race([
    once(child.stdout, "data"),
    once(child, "exit").then(([code]) => {
      throw new Error(`${script} ended with ${String(code)}`);
    }),
  ]);
  return child;
}

export async function kill(child: ChildProcess): Promise<void> {
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}
