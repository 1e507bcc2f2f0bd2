import { execFile } from "node:child_process";
import { readFile, readlink, type FileHandle } from "node:fs/promises";
import { hostname } from "node:os";
import { promisify } from "node:util";
import { parseJson } from "../json.ts";

/** The process that holds a lock, as it says itself. */
export interface Holder {
  readonly process: number;
  /** When the process began, ISO 8601. */
  readonly started: string;
  readonly host: string;
  /** Changes with every start of the machine; containers of one machine share it. Empty where the system has none. */
  readonly boot: string;
  /** The PID namespace that `process` counts in. Empty where the system has none. */
  readonly namespace: string;
}

/** Far above the size of a record. */
const recordLimit = 4096;

const none = (): string => "";

function bootId(): Promise<string> {
  if (process.platform === "darwin") {
    const asked = promisify(execFile)("/usr/sbin/sysctl", ["-n", "kern.bootsessionuuid"]);
    return asked.then(({ stdout }) => stdout.trim(), none);
  }
  return readFile("/proc/sys/kernel/random/boot_id", "utf8").then((text) => text.trim(), none);
}

/** This process. */
export const ownHolder = async (): Promise<Holder> => ({
  process: process.pid,
  started: new Date(Date.now() - process.uptime() * 1000).toISOString(),
  host: hostname(),
  boot: await bootId(),
  namespace: await readlink("/proc/self/ns/pid").catch(none),
});

/**
 * The holder that a lock file names.
 *
 * @returns "nobody" where a process or machine ended before it had written its record; undefined where the file is none of
 *   ours
 */
export async function readHolder(file: FileHandle): Promise<Holder | "nobody" | undefined> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(recordLimit), 0, recordLimit, 0);
  const text = buffer.toString("utf8", 0, bytesRead).replace(/^\0+$/, "");
  if (text === "") return "nobody";
  const { process: id, host, started = "", boot = "", namespace = "" } = (parseJson(text) ?? {}) as Partial<Holder>;
  return typeof id === "number" && typeof host === "string" ? { process: id, host, started, boot, namespace } : undefined;
}

/** Names a holder to another process: "process 12 on HOST", with what its number counts in. */
export function nameHolder(holder: Holder, own: Holder): string {
  const where = holder.host === own.host ? "" : ` on ${holder.host}`;
  const container = holder.boot === own.boot && holder.namespace !== own.namespace ? " in another container" : "";
  return `process ${holder.process}${where}${container}`;
}

/**
 * Whether a holder runs, or ran, on another machine: its kernel cannot tell ours when it ends. The same host with another
 * boot id has been started anew since.
 */
export const isElsewhere = (holder: Holder, own: Holder): boolean => holder.boot !== own.boot && holder.host !== own.host;
