import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Some mutations of one reader. */
export interface ReaderRequest {
  readonly reader: string;
  /** Number of the first. */
  readonly first: number;
  readonly count: number;
}

/** What a child is to do. */
export interface MutationRequest {
  readonly seed: number;
  /** Faults of a reader after which it is left. */
  readonly most: number;
  /** Bytes that its process may use; 0 where it is not asked. */
  readonly memory: number;
  /** URL of the module that exports `readers`. */
  readonly readers: string;
  readonly parts: readonly ReaderRequest[];
}

/** A mutation that went wrong. */
export interface MutationFault {
  readonly reader: string;
  readonly number: number;
  readonly input: string;
  readonly what: string;
}

/** What a child says. */
export type MutationReport =
  | ({ readonly kind: "fault" } & MutationFault)
  | { readonly kind: "done"; readonly reader: string; readonly next: number; readonly read: number; readonly seconds: number }
  | { readonly kind: "end" };

/** What became of the mutations of one reader. */
export interface MutationCount {
  readonly reader: string;
  mutations: number;
  /** Those that were read as another sound input; the others were refused. Where a mutation ends its process, up to 999 are lost. */
  read: number;
  /** Processor time. */
  seconds: number;
  readonly faults: MutationFault[];
}

export interface MutationOptions {
  readonly seed: number;
  readonly parts: readonly ReaderRequest[];
  /** Default 20. */
  readonly most?: number;
  /** Milliseconds for one mutation, after which it counts as a hang: a pattern may take 2 s for each of some texts. */
  readonly patience?: number;
  /** Bytes that the process may use; default 1.5 GiB. 0 does not ask. */
  readonly memory?: number;
  /** URL of the module that exports `readers`; default readers.ts. */
  readonly readers?: string;
  readonly note?: (line: string) => void;
}

/** Stands for no number: sound inputs are made or read. */
export const noMutation = 0xffffffff;

const noPlace = "ff".repeat(8);

const program = fileURLToPath(new URL("mutation-child.ts", import.meta.url));
const allReaders = new URL("readers.ts", import.meta.url).href;

/** What ended a child before its work was done. */
type Ending = { readonly kind: "end" } | { readonly kind: "broken"; readonly what: string };

/** Runs a child, and ends it where it stays at one mutation for too long. */
async function runChild(
  place: string,
  request: MutationRequest,
  patience: number,
  hear: (report: MutationReport) => void,
): Promise<Ending> {
  const child: ChildProcess = fork(program, [place, JSON.stringify(request)], {
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    execArgv: [...process.execArgv, "--max-old-space-size=1024"],
  });
  let errors = "";
  child.stderr?.on("data", (data: Buffer) => (errors = (errors + data.toString()).slice(-2000)));
  let isDone = false;
  child.on("message", (message) => {
    const report = message as MutationReport;
    if (report.kind === "end") isDone = true;
    else hear(report);
  });
  let [last, since, isStuck] = ["", performance.now(), false];
  const watch = setInterval(() => {
    void readFile(place, "hex").then((now) => {
      if (now !== last) [last, since] = [now, performance.now()];
      // until it has said a place, it loads its program
      else if (now !== noPlace && performance.now() - since > patience && !isDone) {
        isStuck = true;
        child.kill("SIGKILL");
      }
    });
  }, 500);
  const [code, signal] = await new Promise<[number | null, string | null]>((done) =>
    child.on("close", (...ending: [number | null, string | null]) => done(ending)),
  );
  clearInterval(watch);
  if (isDone) return { kind: "end" };
  const how = isStuck ? `did not end within ${patience} ms` : `ended its process with ${signal ?? code}: ${errors.trim()}`;
  return { kind: "broken", what: how };
}

/**
 * Reads seeded mutations in a process of their own. What crashes it, stops it, takes more memory than it may have, throws what
 * is no error of bad data, or is read as something that it does not say, is a fault; after it the rest goes on.
 */
export async function runMutations(options: MutationOptions): Promise<readonly MutationCount[]> {
  const { seed, parts, most = 20, patience = 15_000, memory = 1.5 * 2 ** 30, readers = allReaders, note } = options;
  const counts = new Map(
    parts.map(({ reader }) => [reader, { reader, mutations: 0, read: 0, seconds: 0, faults: [] as MutationFault[] }]),
  );
  const countOf = (reader: string) => {
    const count = counts.get(reader);
    if (count === undefined) throw new Error(`no reader ${reader}`);
    return count;
  };
  const folder = await mkdtemp(join(tmpdir(), "mbs-mutating-"));
  const place = join(folder, "place");
  try {
    let left = [...parts];
    while (left.length > 0) {
      const now = left;
      await writeFile(place, Buffer.from(noPlace, "hex"));
      const told = new Set<string>();
      const ending = await runChild(place, { seed, most, memory, readers, parts: now }, patience, (report) => {
        if (report.kind === "fault") {
          const { kind: _kind, ...fault } = report;
          countOf(report.reader).faults.push(fault);
          told.add(`${report.reader} ${report.number}`);
          note?.(`${report.reader} ${report.number} (${report.input}): ${report.what}`);
        } else if (report.kind === "done") {
          const count = countOf(report.reader);
          count.mutations = report.next - (parts.find(({ reader }) => reader === report.reader)?.first ?? 0);
          count.read += report.read;
          count.seconds += report.seconds;
        }
      });
      if (ending.kind === "end") break;
      const mark = await readFile(place);
      const [part, number] = [mark.readUInt32LE(0), mark.readUInt32LE(4)];
      const broken = now[part];
      if (broken === undefined || number === noMutation) throw new Error(`no mutation was read: the process ${ending.what}`);
      const { reader } = broken;
      if (!told.has(`${reader} ${number}`)) {
        countOf(reader).faults.push({ reader, number, input: "", what: ending.what });
        note?.(`${reader} ${number}: ${ending.what}`);
      }
      countOf(reader).mutations = number + 1 - (parts.find((each) => each.reader === reader)?.first ?? 0);
      const rest = { reader, first: number + 1, count: broken.first + broken.count - number - 1 };
      const isLeft = rest.count > 0 && countOf(reader).faults.length < most;
      left = [...(isLeft ? [rest] : []), ...now.slice(part + 1)];
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return [...counts.values()];
}
