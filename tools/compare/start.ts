import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The command line of this checkout, as `npm run build` has made it. */
export const program = fileURLToPath(new URL("../../packages/mbs/bin/mbs.js", import.meta.url));

/** Runs the command line. @returns what it printed @throws where it fails */
export const startMbs = (args: readonly string[], threads: string): string =>
  start(process.execPath, [program, ...args, "--threads", threads]);

/** Runs a program to its end, and says which. @returns what it printed @throws where it fails */
export function start(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): string {
  process.stderr.write(`compare: ${[command === process.execPath ? "node" : command, ...args].join(" ")}\n`);
  const { status, stdout } = spawnSync(command, args, {
    stdio: ["ignore", "pipe", "inherit"],
    encoding: "utf8",
    env,
    // GPTQModel writes megabytes of progress there
    maxBuffer: 2 ** 30,
  });
  if (status !== 0) throw new Error(`${args[0] ?? ""} ended with ${status ?? "a signal"}; run again to go on`);
  return stdout;
}
