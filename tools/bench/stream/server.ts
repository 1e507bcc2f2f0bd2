import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const mbs = fileURLToPath(new URL("../../../packages/mbs/bin/mbs.js", import.meta.url));

/** Resident memory of a process in MB, from /proc; Linux only. */
export function residentMegabytes(process: number): number {
  const found = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${process}/status`, "utf8"));
  return (Number(found?.[1]) * 1024) / 1e6;
}

export interface BenchServer {
  readonly process: ChildProcess;
  readonly pid: number;
  readonly port: number;
}

/** `mbs serve` as users start it, in a process of its own, so that its memory is nobody else's. */
export async function startServer(folder: string): Promise<BenchServer> {
  const flags = ["--listen", "127.0.0.1:0", "--store", join(folder, "store"), "--model-root", join(folder, "models")];
  const child = spawn(process.execPath, [mbs, "serve", ...flags, "--threads", "1"], { stdio: ["ignore", "ignore", "pipe"] });
  const port = await new Promise<number>((resolve, reject) => {
    child.stderr.on("data", (chunk: Buffer) => {
      const found = /grpc:\/\/127\.0\.0\.1:(\d+)/.exec(chunk.toString());
      if (found) resolve(Number(found[1]));
      else process.stderr.write(chunk);
    });
    child.on("close", () => reject(new Error("the server ended")));
  });
  if (child.pid === undefined) throw new Error("the server has no process");
  return { process: child, pid: child.pid, port };
}
