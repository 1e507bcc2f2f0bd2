import { createHash } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";

/** Tells a process of this host from all others that had its id or will have it. */
export interface ProcessIdentity {
  readonly id: number;
  /** Where the system tells more than ids (Linux): hexadecimal, so that file names can hold them. */
  readonly details?: {
    /** Ticks from the start of the machine to that of the process. */
    readonly started: string;
    /** Changes with every start of the machine; its containers share it. */
    readonly boot: string;
    /** The PID namespace that the id counts in: containers have their own. */
    readonly namespace: string;
  };
}

/** State and start of a process, from behind its name, which may hold anything; undefined where the system does not say. */
function look(process_: number | "self"): { readonly state: string; readonly started: string } | undefined {
  try {
    const text = readFileSync(`/proc/${process_}/stat`, "latin1");
    const [state = "", ...numbers] = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { state, started: BigInt(numbers[18] ?? "").toString(16) };
  } catch {
    return undefined;
  }
}

function ownDetails(): ProcessIdentity["details"] {
  const started = look("self")?.started;
  if (started === undefined) return undefined;
  try {
    const bootId = readFileSync("/proc/sys/kernel/random/boot_id", "latin1");
    const number = BigInt(/\d+/.exec(readlinkSync("/proc/self/ns/pid"))?.[0] ?? "");
    const boot = createHash("sha256").update(bootId).digest("hex").slice(0, 8);
    return { started, boot, namespace: number.toString(16) };
  } catch {
    return undefined;
  }
}

let own: ProcessIdentity | undefined;

/** This process. */
export function thisProcess(): ProcessIdentity {
  if (own === undefined) {
    const details = ownDetails();
    own = { id: process.pid, ...(details && { details }) };
  }
  return own;
}

/** Whether a process of this machine has an id; one that belongs to somebody else does. */
function isAlive(id: number): boolean {
  try {
    process.kill(id, 0);
    return true;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === "EPERM";
  }
}

const ended: ReadonlySet<string> = new Set(["Z", "X"]);

/** Whether a process of this host has surely ended. One of another container is never taken for dead. */
export function isGone({ id, details }: ProcessIdentity): boolean {
  const here = thisProcess().details;
  if (details && here) {
    if (details.boot !== here.boot) return true;
    if (details.namespace !== here.namespace) return false;
    const found = look(id);
    if (found && (ended.has(found.state) || found.started !== details.started)) return true;
  }
  return !isAlive(id);
}
