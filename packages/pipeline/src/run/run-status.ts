import { hostname } from "node:os";
import { rm } from "node:fs/promises";
import { writeAtomically } from "@mbs/artifacts";
import { BadDataError, FailedPreconditionError, isObject, UsageError } from "@mbs/contracts";
import type { Progress, TimeLeft } from "@mbs/contracts";
import type { Plan, PlanNode } from "../plan/nodes/plan-node.ts";
import type { NodeReport } from "./engine.ts";
import type { NodeStatus } from "./node-status.ts";
import { exists, readRecord } from "./file-state.ts";
import { runFolder } from "./run-folder.ts";
import type { RunFolder } from "./run-folder.ts";
import type { RunMachine } from "./run-machine.ts";
import type { WorkerTraffic } from "./store-traffic.ts";
import { estimateLeft, SteadyLeft } from "./time-left.ts";
import type { ExpectedTime } from "./time-left.ts";

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
  /** Undefined as long as too little is known. */
  readonly secondsLeft?: number;
  /** Whether that leaves out nodes of which nothing is known, such as those of third-party stages. */
  readonly leftIsLeast?: boolean;
  /** What each worker has moved to and from the store since the run was started last; absent where there is no store. */
  readonly traffic?: readonly WorkerTraffic[];
  readonly nodes: readonly NodeStatus[];
}

/** Milliseconds between two writes. */
const writeMs = 1000;

/** Milliseconds of a run before anyone asks how long it takes: many are over by then. */
const expectMs = 5000;

/** Writes down how far a run is, at most once a second, for those who look at it from outside. */
export class StatusRecord {
  readonly #path: string;
  readonly #plan: Plan;
  readonly #machine: RunMachine;
  readonly #traffic: () => readonly WorkerTraffic[];
  readonly #began = Date.now();
  readonly #nodes: Map<string, NodeStatus>;
  readonly #expect: (() => Promise<ExpectedTime>) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #expected: ExpectedTime | undefined;
  readonly #steady = new SteadyLeft();
  /** The time left, and when it was found: a large plan is not gone through for each word of a node. */
  #leftAt: { readonly when: number; readonly left: TimeLeft | undefined } = { when: 0, left: undefined };
  #done = 0;
  #writing: Promise<void> = Promise.resolve();

  /** @param expect finds how long the run takes; without it no time left is shown */
  constructor(
    { status }: RunFolder,
    plan: Plan,
    machine: RunMachine,
    traffic: () => readonly WorkerTraffic[],
    expect?: () => Promise<ExpectedTime>,
  ) {
    this.#path = status;
    this.#traffic = traffic;
    this.#expect = expect;
    this.#plan = plan;
    this.#machine = machine;
    this.#nodes = new Map(plan.nodes.map(({ id, stage }) => [id, { id, stage, state: "waiting" as const }]));
    // at once: what an earlier run has left there is not true any more
    void this.#write();
  }

  /** Does all the work of a run: the record is removed when it is done, or says how it failed. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    const asking = setTimeout(() => void this.#learn(), expectMs).unref();
    try {
      const result = await work();
      await this.#end();
      return result;
    } catch (error) {
      await this.#end(error instanceof Error ? error.message : String(error));
      throw error;
    } finally {
      clearTimeout(asking);
    }
  }

  /** It never rejects: a run does not fail because nobody knows how long it takes. */
  async #learn(): Promise<void> {
    this.#expected = await this.#expect?.().catch(() => undefined);
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
    const left = this.#left(Date.now());
    return { activity, done: this.#done, total: this.#nodes.size, unit: "nodes", whole: { name: "run", left } };
  }

  #left(now: number): TimeLeft | undefined {
    if (this.#expected === undefined) return undefined;
    if (now - this.#leftAt.when < writeMs) return this.#leftAt.left;
    const { workers, processors } = this.#machine;
    // the first one of a queue's is this machine
    const hands = processors === undefined ? workers : Math.max(1, this.#traffic().length - 1);
    const left = this.#steady.update(estimateLeft(this.#plan.nodes, this.#nodes, this.#expected, hands, now), now);
    this.#leftAt = { when: now, left };
    return left;
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
  const value = await readRecord(status);
  if (isStatus(value)) return value;
  throw new BadDataError(`${status} is damaged, or was not written by a run; remove it`, { path: status });
}
