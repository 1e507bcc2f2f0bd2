import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";

function textOrNothing(read: () => string): string {
  try {
    return read().trim();
  } catch {
    return "";
  }
}

/** Changes with every start of the machine; containers of one machine share it. Empty where the system has none. */
export const readBootId = (): string =>
  textOrNothing(() =>
    process.platform === "darwin"
      ? execFileSync("/usr/sbin/sysctl", ["-n", "kern.bootsessionuuid"], {
          encoding: "utf8",
          stdio: ["ignore", "pipe", "ignore"],
        })
      : readFileSync("/proc/sys/kernel/random/boot_id", "latin1"),
  );

/** The PID namespace of this process: containers have their own. Empty where the system has none. */
export const readPidNamespace = (): string => textOrNothing(() => readlinkSync("/proc/self/ns/pid"));

/** Identifies a process of this host, also among processes that had or will have the same PID. */
export interface ProcessIdentity {
  readonly id: number;
  /** Where the system tells more than ids (Linux): hexadecimal, so that file names can hold them. */
  readonly details?: {
    /** Ticks from the start of the machine to that of the process. */
    readonly started: string;
    /** The first 8 digits of the boot id's SHA-256. */
    readonly boot: string;
    /** The number of the PID namespace that the id belongs to. */
    readonly namespace: string;
  };
}

/** State and start of a process; undefined where the system does not say. The name before them may hold any character. */
function readStat(id: number | "self"): { readonly state: string; readonly started: string } | undefined {
  try {
    const text = readFileSync(`/proc/${id}/stat`, "latin1");
    const { 0: state, 19: started } = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return state === undefined || started === undefined ? undefined : { state, started: BigInt(started).toString(16) };
  } catch {
    return undefined;
  }
}

function ownDetails(): ProcessIdentity["details"] {
  const started = readStat("self")?.started;
  const [bootId, namespace] = [readBootId(), /\d+/.exec(readPidNamespace())?.[0]];
  if (started === undefined || bootId === "" || namespace === undefined) return undefined;
  const boot = createHash("sha256").update(bootId).digest("hex").slice(0, 8);
  return { started, boot, namespace: BigInt(namespace).toString(16) };
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

/** Whether a process of this machine has an id, whichever user owns it. */
function isAlive(id: number): boolean {
  try {
    process.kill(id, 0);
    return true;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === "EPERM";
  }
}

const ended: ReadonlySet<string> = new Set(["Z", "X"]);

/** Whether a process of this host has certainly ended; of one in another container that is never certain. */
export function isGone({ id, details }: ProcessIdentity): boolean {
  const here = thisProcess().details;
  if (details && here) {
    if (details.boot !== here.boot) return true;
    if (details.namespace !== here.namespace) return false;
    const found = readStat(id);
    // a process with this id but another start reuses the id
    if (found && (ended.has(found.state) || found.started !== details.started)) return true;
  }
  return !isAlive(id);
}
