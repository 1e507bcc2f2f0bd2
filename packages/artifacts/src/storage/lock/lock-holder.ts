import type { FileHandle } from "node:fs/promises";
import { hostname } from "node:os";
import { parseJson } from "../../json.ts";
import { readBootId, readPidNamespace } from "../process-identity.ts";

/** The process that holds a lock, as it recorded itself. */
export interface Holder {
  readonly process: number;
  /** When the process began, ISO 8601. */
  readonly started: string;
  readonly host: string;
  /** As readBootId gives it. */
  readonly boot: string;
  /** The PID namespace that `process` belongs to, as readPidNamespace gives it. */
  readonly namespace: string;
}

/** Far above the size of a record. */
const recordLimit = 4096;

/** This process. */
export const ownHolder = (): Holder => ({
  process: process.pid,
  started: new Date(Date.now() - process.uptime() * 1000).toISOString(),
  host: hostname(),
  boot: readBootId(),
  namespace: readPidNamespace(),
});

/**
 * The holder that a lock file names.
 *
 * @returns "nobody" where the process or machine stopped before the record was written; undefined where the file is no lock file
 *   of this program
 */
export async function readHolder(file: FileHandle): Promise<Holder | "nobody" | undefined> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(recordLimit), 0, recordLimit, 0);
  const text = buffer.toString("utf8", 0, bytesRead).replace(/^\0+$/, "");
  if (text === "") return "nobody";
  const { process: id, host, started = "", boot = "", namespace = "" } = (parseJson(text) ?? {}) as Partial<Holder>;
  return typeof id === "number" && typeof host === "string" ? { process: id, host, started, boot, namespace } : undefined;
}

/** Names a holder to another process: "process 12 on HOST", or "in another container" where the PID is of another namespace. */
export function nameHolder(holder: Holder, own: Holder): string {
  const where = holder.host === own.host ? "" : ` on ${holder.host}`;
  const container = holder.boot === own.boot && holder.namespace !== own.namespace ? " in another container" : "";
  return `process ${holder.process}${where}${container}`;
}

/**
 * Whether a holder runs, or ran, on another machine, whose kernel cannot tell ours that it has ended. The same host with
 * another boot id was restarted since, so its holder is gone.
 */
export const isElsewhere = (holder: Holder, own: Holder): boolean => holder.boot !== own.boot && holder.host !== own.host;
