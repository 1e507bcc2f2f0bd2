import { hostname } from "node:os";
import { readFile, rm } from "node:fs/promises";
import { parseJson, writeAtomically } from "@mbs/artifacts";
import { BadDataError, FailedPreconditionError, isObject, UsageError } from "@mbs/contracts";
import type { Progress, TimeLeft } from "@mbs/contracts";
import type { Plan, PlanNode } from "../plan/nodes/plan-node.ts";
import type { NodeReport } from "./engine.ts";
import { exists, isFile } from "./own-files.ts";
import { runFolder } from "./run-folder.ts";
import type { RunFolder } from "./run-folder.ts";
import type { RunMachine } from "./run-machine.ts";
import type { WorkerTraffic } from "./store-traffic.ts";

/** Where a node of a run is. */
export interface NodeStatus {
  readonly id: string;
  readonly stage: string;
  readonly state: "waiting" | "running" | "done";
  /** The worker that runs it or ran it; absent where an earlier run had done it. */
  readonly worker?: string;
  /** Seconds that it took. */
  readonly seconds?: number;
  /** When it began, in milliseconds since 1970. */
  readonly began?: number;
  /** How much of it is done, 0 to 1, where it runs and says so. */
  readonly share?: number;
}

/** What is known of a run that goes on, or that stopped before its end. */
export interface RunStatus {
  readonly process: number;
  readonly host: string;
  /** In milliseconds since 1970, as all times here. */
  readonly began: number;
  readonly updated: number;
  readonly threads: number;
  /** On this machine. */
  readonly workers: number;
  /** The class of processors that it takes at a queue; absent where it runs on this machine alone. */
  readonly processors?: string;
  /** How it ended, where it ended without a result. */
  readonly failure?: string;
  /** Estimated from the nodes that are done or at work; undefined as long as these say nothing. */
  readonly secondsLeft?: number;
  /** Whether that leaves out nodes of which none was run yet, such as the evaluation. */
  readonly leftIsLeast?: boolean;
  /** What each worker has moved to and from the store since the run was started last; absent where there is no store. */
  readonly traffic?: readonly WorkerTraffic[];
  readonly nodes: readonly NodeStatus[];
}

/** Milliseconds between two writes. */
const writeMs = 1000;

/** Nodes that do the same on other nodes, shards or sites of the same name: "capture.h.#.mlp-up.shard-#". */
const kindOf = ({ id }: Pick<NodeStatus, "id">): string => id.replaceAll(/\d+/g, "#");

/**
 * Seconds until a run ends: as long as its workers need for all that is left together, or the longest chain of nodes that wait
 * for each other, whichever is longer.
 *
 * Nodes that come once, such as those that write and evaluate the model, are known by their own progress alone, and left out
 * before that.
 *
 * @param now in milliseconds since 1970
 * @returns undefined while nothing is known
 */
export function estimateLeft(
  nodes: readonly PlanNode[],
  status: ReadonlyMap<string, NodeStatus>,
  workers: number,
  now: number,
): TimeLeft | undefined {
  const taken = new Map<string, { sum: number; count: number }>();
  for (const found of status.values()) {
    if (found.seconds === undefined) continue;
    const { sum, count } = taken.get(kindOf(found)) ?? { sum: 0, count: 0 };
    taken.set(kindOf(found), { sum: sum + found.seconds, count: count + 1 });
  }
  let sum = 0;
  let longest = 0;
  let isLeast = false;
  const ends = new Map<string, number>();
  for (const node of nodes) {
    const { state, began, share = 0 } = status.get(node.id) ?? { state: "waiting" };
    const before = Math.max(0, ...[...Object.values(node.inputs).flat(), ...node.after].map((id) => ends.get(id) ?? 0));
    if (state === "done") {
      ends.set(node.id, 0);
      continue;
    }
    const elapsed = began === undefined ? 0 : (now - began) / 1000;
    const known = taken.get(kindOf(node));
    // its own progress says more than others of its kind
    const whole = share > 0 ? elapsed / share : known && known.sum / known.count;
    if (whole === undefined) isLeast = true;
    const left = whole === undefined ? 0 : Math.max(0, whole - elapsed);
    sum += left;
    ends.set(node.id, before + left);
    longest = Math.max(longest, before + left);
  }
  const seconds = Math.max(sum / workers, longest);
  return isLeast && seconds === 0 ? undefined : { seconds, isLeast };
}

/** Writes down how far a run is, at most once a second, for those who look at it from outside. */
export class StatusRecord {
  readonly #path: string;
  readonly #plan: Plan;
  readonly #machine: RunMachine;
  readonly #traffic: () => readonly WorkerTraffic[];
  readonly #began = Date.now();
  readonly #nodes: Map<string, NodeStatus>;
  #timer: NodeJS.Timeout | undefined;
  /** The time left, and when it was found: a large plan is not gone through for each word of a node. */
  #leftAt: { readonly when: number; readonly left: TimeLeft | undefined } = { when: 0, left: undefined };
  #done = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor({ status }: RunFolder, plan: Plan, machine: RunMachine, traffic: () => readonly WorkerTraffic[] = () => []) {
    this.#path = status;
    this.#traffic = traffic;
    this.#plan = plan;
    this.#machine = machine;
    this.#nodes = new Map(plan.nodes.map(({ id, stage }) => [id, { id, stage, state: "waiting" as const }]));
    // at once: what an earlier run has left there is not true any more
    void this.#write();
  }

  /** Does all the work of a run: the record is removed when it is done, or says how it failed. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    try {
      const result = await work();
      await this.#end();
      return result;
    } catch (error) {
      await this.#end(error instanceof Error ? error.message : String(error));
      throw error;
    }
  }

  started({ id, stage }: PlanNode, worker: string): void {
    this.#set({ id, stage, state: "running", worker, began: Date.now() });
  }

  /** What a node at work says of itself. */
  progressed({ id }: PlanNode, { done, total = 0 }: Progress): void {
    const known = this.#nodes.get(id);
    if (known?.state !== "running" || total === 0) return;
    this.#set({ ...known, share: Math.min(1, done / total) });
  }

  /** Progress of the whole run, while a node is at work. */
  whole(activity: string): Progress {
    const now = Date.now();
    if (now - this.#leftAt.when >= writeMs) this.#leftAt = { when: now, left: this.#left(now) };
    const { left } = this.#leftAt;
    return { activity, done: this.#done, total: this.#nodes.size, unit: "nodes", whole: { name: "run", left } };
  }

  #left(now: number): TimeLeft | undefined {
    const { workers, processors } = this.#machine;
    // the first one of a queue's is this machine
    const hands = processors === undefined ? workers : Math.max(1, this.#traffic().length - 1);
    return estimateLeft(this.#plan.nodes, this.#nodes, hands, now);
  }

  /** A node whose worker ended, or that is to run again for another reason. */
  waits({ id, stage }: PlanNode): void {
    this.#set({ id, stage, state: "waiting" });
  }

  done({ id, stage, worker, seconds }: NodeReport): void {
    const made = { ...(worker !== undefined && { worker }), ...(seconds !== undefined && { seconds }) };
    this.#set({ id, stage, state: "done", ...made });
  }

  #set(node: NodeStatus): void {
    const before = this.#nodes.get(node.id)?.state;
    if (before === "done") this.#done -= 1;
    if (node.state === "done") this.#done += 1;
    this.#nodes.set(node.id, node);
    this.#soon();
  }

  /** It never rejects, as `#write`. */
  async #end(failure?: string): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (failure !== undefined) return this.#write(failure);
    await this.#writing;
    await rm(this.#path, { force: true }).catch(() => undefined);
  }

  #soon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#write();
    }, writeMs).unref();
  }

  /** Writes one after the other. It never rejects: a run does not fail because nobody can look at it. */
  #write(failure?: string): Promise<void> {
    this.#writing = this.#writing.then(() => this.#writeNow(failure)).catch(() => undefined);
    return this.#writing;
  }

  async #writeNow(failure: string | undefined): Promise<void> {
    const now = Date.now();
    const traffic = this.#traffic();
    const left = this.#left(now);
    const status: RunStatus = {
      process: process.pid,
      host: hostname(),
      began: this.#began,
      updated: now,
      ...this.#machine,
      ...(failure !== undefined && { failure }),
      ...(left && { secondsLeft: left.seconds, leftIsLeast: left.isLeast }),
      ...(traffic.length > 0 && { traffic }),
      nodes: [...this.#nodes.values()],
    };
    await writeAtomically(this.#path, [Buffer.from(`${JSON.stringify(status)}\n`)], { force: true });
  }
}

const hasTypes = (value: unknown, types: Readonly<Record<string, string>>): value is Readonly<Record<string, unknown>> =>
  isObject(value) &&
  Object.entries(types).every(
    ([name, type]) => typeof value[name] === type.replace("?", "") || (type.endsWith("?") && value[name] === undefined),
  );

const nodeTypes = {
  id: "string",
  stage: "string",
  state: "string",
  worker: "string?",
  seconds: "number?",
  began: "number?",
  share: "number?",
};
const statusTypes = {
  process: "number",
  host: "string",
  began: "number",
  updated: "number",
  threads: "number",
  workers: "number",
  processors: "string?",
  failure: "string?",
  secondsLeft: "number?",
  leftIsLeast: "boolean?",
};

const trafficTypes = { worker: "string", fetched: "number", put: "number" };

const areOf = (values: unknown, types: Readonly<Record<string, string>>): boolean =>
  Array.isArray(values) && values.every((value: unknown) => hasTypes(value, types));

const isStatus = (value: unknown): value is RunStatus =>
  hasTypes(value, statusTypes) && areOf(value["nodes"], nodeTypes) && areOf(value["traffic"] ?? [], trafficTypes);

/**
 * How far the run of an output folder is; undefined where none goes on and what was begun is done.
 *
 * @throws {UsageError} where the folder holds no run
 * @throws {FailedPreconditionError} where the last run stopped without a record, as those of earlier versions
 * @throws {BadDataError} where the record is damaged
 */
export async function readStatus(output: string): Promise<RunStatus | undefined> {
  const { work, status, recipe } = runFolder(output);
  if (!(await exists(work)))
    throw new UsageError(
      `${output} holds no run; name the output folder of a recipe, or of mbs shrink, which runs nothing while it plans`,
      {
        output,
      },
    );
  if (!(await exists(status))) {
    if (await exists(recipe)) return undefined;
    throw new FailedPreconditionError(
      `${output} holds a run that stopped without a record of how far it is; run the recipe again`,
      {
        output,
      },
    );
  }
  const value = (await isFile(status)) ? parseJson(await readFile(status, "utf8")) : undefined;
  if (isStatus(value)) return value;
  throw new BadDataError(`${status} is damaged, or was not written by a run; remove it`, { path: status });
}
