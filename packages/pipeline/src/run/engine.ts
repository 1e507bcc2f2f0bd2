import { performance } from "node:perf_hooks";
import { artifactKinds, manifestKey } from "@mbs/artifacts";
import type { ArtifactStore, RunManifest, WriteTime } from "@mbs/artifacts";
import { BadDataError, InternalError, InterruptedError, firstOutput, observed, optionTable } from "@mbs/contracts";
import type { Device, DeviceReport, Observer, Progress, Stage, StageContext, StageOptions } from "@mbs/contracts";
import { lossBehind, requireWhole } from "./damaged-artifacts.ts";
import { isWholeModel } from "./model-files.ts";
import { NeededArtifacts } from "./needed-artifacts.ts";
import { InputLostError, WorkerLostError } from "./node-worker.ts";
import type { NodeDone, NodeTask, NodeWorker, TaskContext } from "./node-worker.ts";
import { outputsOf } from "./node-outputs.ts";
import type { NodeOutputs } from "./node-outputs.ts";
import { isIntermediate } from "../plan/nodes/plan-node.ts";
import type { Plan, PlanNode } from "../plan/nodes/plan-node.ts";
import { replayCommand } from "./replay-command.ts";
import type { Resources } from "../resources/resources.ts";
import { Retries } from "./retries.ts";
import type { RunFolder } from "./run-folder.ts";
import { Schedule } from "./schedule.ts";
import type { WorkerRules } from "./schedule.ts";
import { stageOf } from "../plan/known-stages.ts";
import type { Stages } from "../plan/known-stages.ts";

/** One node that is done. */
export interface NodeReport {
  readonly id: string;
  readonly stage: string;
  /** Address of its output. */
  readonly address: string;
  /** The shell command that runs it again on its artifacts. */
  readonly command: string;
  /** Seconds it took now; undefined when an earlier run had done it. */
  readonly seconds?: number;
  /** The worker that ran it, where it ran now. */
  readonly worker?: string;
}

/** What the engine does with a run's artifacts. */
export type RunArtifacts = Pick<ArtifactStore, "path" | "has" | "remove" | "removeDamaged" | "flush">;

export interface EngineOptions {
  readonly stages: Stages;
  readonly folder: RunFolder;
  /** What this process sees of the run's artifacts. */
  readonly store: RunArtifacts;
  readonly manifest: RunManifest;
  readonly resources: Resources;
  /** At least one. */
  readonly workers: readonly NodeWorker[];
  readonly context: Omit<StageContext, "pool" | "progress">;
  /** Whether a node's output stays although nothing reads it any more. */
  readonly keeps: (node: PlanNode) => boolean;
  /** The class of the processors that run a node, which it is known by; absent where all of a run's nodes run on this machine. */
  readonly processorClass?: (node: PlanNode) => string;
  /**
   * Brings what the run's folder keeps there when all nodes are done.
   *
   * @param addresses of each node's output
   * @throws {InputLostError} with what is lost and has to be made again
   */
  readonly gather: (addresses: ReadonlyMap<string, string>) => Promise<void>;
  readonly onNode: (report: NodeReport) => void;
  /**
   * Called for every node at work.
   *
   * @param isFirst whether no other node at work began before it
   * @param others nodes at work beside it
   */
  readonly onProgress: (node: PlanNode, progress: Progress, isFirst: boolean, others: number) => void;
  /** Called with a line that the user of the run should see. */
  readonly onWarn: (node: PlanNode, message: string) => void;
  readonly onStart: (node: PlanNode, worker: string) => void;
  /** Called with what a node did on a graphics processor of this machine. */
  readonly onDevice: (report: DeviceReport) => void;
  /** Gets reports of every node that runs. */
  readonly observer: Observer;
  /** Called for a node that did not end, or whose output is lost, and that will run again. */
  readonly onRetry: (node: PlanNode) => void;
}

/** A node at work. */
interface Running {
  readonly node: PlanNode;
  readonly worker: NodeWorker;
  /** Resolves when it has ended, well or not. */
  readonly ended: Promise<Ended>;
}

interface Ended {
  readonly node: PlanNode;
  readonly worker: NodeWorker;
  readonly seconds: number;
  readonly outcome: NodeDone | { readonly error: unknown };
}

const workerRules: WorkerRules<NodeWorker> = {
  takes: ({ takes }, node) => takes?.(node) !== false,
  executorOf: ({ executor }) => executor,
};

/** What a node is known by beside its threads, where it is not the processor that runs the model. */
const deviceOf = ({ runsModel }: Stage, { device }: Pick<StageContext, "device">): Device | undefined =>
  runsModel && device !== "cpu" ? device : undefined;

/**
 * Runs the nodes of a plan on workers, through the contract of stages alone: a node as soon as its inputs are there and a
 * worker is free.
 *
 * A node is known by its stage, options, threads and the addresses of all that it reads. What has been made is not made
 * again, so a run that ended anywhere goes on where it was.
 */
export class Engine {
  readonly #plan: Plan;
  readonly #options: EngineOptions;
  /** What becomes of the outputs of the plan's nodes. */
  readonly #outputs: NodeOutputs;
  readonly #addresses = new Map<string, string>();
  /** Node → the worker that ran it now. */
  readonly #ranBy = new Map<string, NodeWorker>();
  /** Artifact → the worker that holds it in memory, perhaps there alone. */
  readonly #holders = new Map<string, NodeWorker>();
  readonly #removed = new Set<string>();
  readonly #needed: NeededArtifacts;
  readonly #retries: Retries;
  /** The last write of the manifest, which goes on while the next node runs: a node whose record is lost is run again. */
  #recorded: Promise<void> = Promise.resolve();

  constructor(plan: Plan, options: EngineOptions) {
    this.#plan = plan;
    this.#options = options;
    this.#outputs = outputsOf(plan.nodes, (node) => this.#stage(node), options.keeps);
    this.#needed = new NeededArtifacts(plan.nodes, this.#outputs);
    this.#retries = new Retries(options.folder.root, options.context.warn);
  }

  /** @returns the address of every node's output; all of them that are needed, and their record, are on the disk */
  async run(): Promise<ReadonlyMap<string, string>> {
    try {
      const pending = await this.#findPending();
      this.#sweep(this.#needed.begin(pending, this.#addresses));
      for (const node of this.#plan.nodes) {
        const address = this.#addresses.get(node.id);
        if (!pending.has(node.id) && address !== undefined) this.#options.onNode(await this.#report(node, address));
      }
      do await this.#runNodes(pending);
      while (!(await this.#areGathered(pending)));
      return this.#addresses;
    } catch (cause) {
      // what was done stays done; the first error is the one to report
      await this.#writeAll().catch(() => {});
      throw cause;
    }
  }

  async #writeAll(): Promise<void> {
    const { workers, store } = this.#options;
    await Promise.all(workers.map((worker) => worker.flush()));
    await store.flush();
    await this.#recorded;
  }

  /** Whether all that stays is in the run's folder. @param pending gets the nodes whose output is lost */
  async #areGathered(pending: Set<string>): Promise<boolean> {
    await this.#writeAll();
    try {
      await this.#options.gather(this.#addresses);
      const results = this.#outputs.results.flatMap((id) => this.#addresses.get(id) ?? []);
      await requireWhole(this.#options.store, results);
      return true;
    } catch (error) {
      if (!(error instanceof InputLostError)) throw error;
      this.#lose("the end of the run", error);
      await this.#addLost(pending);
      this.#sweep(this.#needed.begin(pending, this.#addresses));
      return false;
    }
  }

  async #runNodes(pending: Set<string>): Promise<void> {
    const { nodes } = this.#plan;
    /** Fires on the first error, so that the other workers stop. */
    const stopping = new AbortController();
    const signal = AbortSignal.any([this.#options.context.signal, stopping.signal]);
    const running = new Map<string, Running>();
    const isAlone = this.#options.workers.length === 1;
    const plan = (): Schedule<NodeWorker> =>
      new Schedule(nodes, { pending, running: new Set(running.keys()), ranBy: this.#ranBy, isAlone }, workerRules);
    let schedule = plan();
    const failures: unknown[] = [];
    while (pending.size > 0) {
      if (!signal.aborted) await this.#startAll(schedule, running, signal);
      if (running.size === 0) break;
      const { node, worker, seconds, outcome } = await Promise.race([...running.values()].map(({ ended }) => ended));
      running.delete(node.id);
      try {
        const isFailed = "error" in outcome;
        if (isFailed && !(await this.#canRetry(node, worker, outcome.error, pending, signal))) throw outcome.error;
        if (isFailed || !(await this.#isKept(node, worker, outcome.address))) {
          this.#options.onRetry(node);
          schedule = plan();
          // more may be pending than before, and be needed again
          this.#sweep(this.#needed.begin(pending, this.#addresses));
          continue;
        }
        const isChanged = await this.#finish(node, worker, outcome, seconds, pending);
        pending.delete(node.id);
        schedule.done(node.id, worker);
        this.#sweep(isChanged ? this.#needed.begin(pending, this.#addresses) : this.#needed.done(node.id, outcome.address));
      } catch (error) {
        failures.push(error);
        stopping.abort(new InterruptedError("another node failed"));
      }
    }
    const isStopped = this.#options.context.signal.aborted;
    for (const failure of failures) if (!isStopped || !(failure instanceof InterruptedError)) throw failure;
    if (pending.size === 0) return;
    if (!isStopped) throw new InternalError(`no node can be run: ${[...pending].join(", ")} wait for each other`);
    const done = nodes.length - pending.size;
    throw new InterruptedError(`stopped after ${done} of ${nodes.length} nodes; the same command goes on from there`, { done });
  }

  /** Gives nodes to all workers that are free, as far as there are nodes whose inputs are there. */
  async #startAll(schedule: Schedule<NodeWorker>, running: Map<string, Running>, signal: AbortSignal): Promise<void> {
    const { workers } = this.#options;
    const busy = new Set([...running.values()].map(({ worker }) => worker));
    /** Executors for which there is nothing now. */
    const idle = new Set<object>();
    for (const worker of workers) {
      if (busy.has(worker) || (worker.executor !== undefined && idle.has(worker.executor))) continue;
      const node = schedule.next(worker, (other) => busy.has(other));
      if (node === undefined) {
        if (worker.executor !== undefined) idle.add(worker.executor);
        continue;
      }
      busy.add(worker);
      // whose model lies in the folder is read from the record
      if (firstOutput(this.#stage(node)).folder === true) await this.#recorded;
      this.#options.onStart(node, worker.name);
      running.set(node.id, { node, worker, ended: this.#execute(node, worker, schedule.height(node), running, signal) });
    }
  }

  /** Runs a node on a worker; never rejects. */
  async #execute(
    node: PlanNode,
    worker: NodeWorker,
    height: number,
    running: ReadonlyMap<string, Running>,
    signal: AbortSignal,
  ): Promise<Ended> {
    const { context, observer } = this.#options;
    const started = performance.now();
    const end = (outcome: Ended["outcome"]): Ended => ({
      node,
      worker,
      seconds: (performance.now() - started) / 1000,
      outcome,
    });
    try {
      const { id, stage, options, affinity } = node;
      const task: NodeTask = {
        id,
        stage,
        options,
        inputs: this.#inputAddresses(node),
        when: this.#whenWritten(node, worker),
        height,
        ...(affinity !== undefined && { affinity }),
      };
      const taskContext: TaskContext = {
        signal,
        progress: (progress) => {
          this.#options.onProgress(node, progress, running.keys().next().value === id, running.size - 1);
        },
        warn: (message) => this.#options.onWarn(node, message),
        note: (message) => context.note?.(`${node.id}: ${message}`),
        onDevice: (report) => this.#options.onDevice(report),
      };
      const endStage = observer.stage({ stage, name: id, peer: worker.name });
      return end(await observed(endStage, () => worker.run(task, taskContext)));
    } catch (error) {
      return end({ error });
    }
  }

  /** One worker alone reads what it has made itself; others need the file. */
  #whenWritten({ id }: PlanNode, { executor }: NodeWorker): WriteTime {
    if (executor !== undefined) return "now";
    const isAlone = this.#options.workers.length === 1;
    if (this.#outputs.passing.has(id) && (isAlone || this.#outputs.followed.has(id))) return "late";
    return isAlone ? "behind" : "now";
  }

  /**
   * Whether an output is still there: another node's with the same content may have been removed at the moment when this one
   * was found to be there already. Then the node runs again.
   */
  async #isKept(node: PlanNode, worker: NodeWorker, address: string): Promise<boolean> {
    if (!this.#removed.has(address) || this.#whenWritten(node, worker) !== "now") return true;
    const { store } = this.#options;
    await store.flush();
    return store.has(address);
  }

  /**
   * @returns whether the manifest named another output, of which nothing is made
   * @throws {MbsError} where something is made of that one
   */
  async #finish(
    node: PlanNode,
    worker: NodeWorker,
    { address, worker: by }: NodeDone,
    seconds: number,
    pending: ReadonlySet<string>,
  ): Promise<boolean> {
    const before = this.#addresses.get(node.id);
    const isChanged = before !== undefined && before !== address;
    if (isChanged) this.#requireUnread(node, address, before, pending);
    this.#addresses.set(node.id, address);
    this.#ranBy.set(node.id, worker);
    const isFolder = firstOutput(this.#stage(node)).folder === true;
    if (!isFolder && this.#whenWritten(node, worker) !== "now") this.#holders.set(address, worker);
    this.#removed.delete(address);
    this.#learn(node, address);
    await this.#record(node, address);
    this.#options.onNode({ ...(await this.#report(node, address)), seconds, worker: by });
    return isChanged;
  }

  /**
   * Where a node did not give what the manifest names, but a stage of ours gives the same bytes each time: what the manifest names is
   * damaged where nothing has been made of it.
   *
   * @throws {MbsError} where something has
   */
  #requireUnread(node: PlanNode, address: string, before: string, pending: ReadonlySet<string>): void {
    const path = this.#options.folder.manifest;
    const isRead = this.#plan.nodes.some(
      ({ id, inputs, after }) => !pending.has(id) && [...Object.values(inputs).flat(), ...after].includes(node.id),
    );
    if (!isRead) {
      return this.#options.context.warn(
        `${path} named ${before} for ${node.id}, which gave ${address}: the file was damaged or changed, and what was made after it is made again`,
      );
    }
    const { loadedFrom } = this.#stage(node);
    if (loadedFrom !== undefined) {
      const remedy = `the same input must give the same bytes: fix ${loadedFrom}, then start over with --force`;
      throw new InternalError(`${node.id} gave ${address} where an earlier run had ${before}; ${remedy}`, { node: node.id });
    }
    throw new BadDataError(
      `${path} names ${before} for ${node.id}, which gave ${address}: the file was changed, or a solver of your own gives other values each time; delete it and run again, which computes everything again, or start over with --force`,
      { path, node: node.id },
    );
  }

  /**
   * Whether a node whose worker ended, or whose inputs are lost or damaged, is to be tried again. What that worker held in memory
   * alone has to be made again, too.
   *
   * @param pending gets the nodes whose output is lost
   * @param signal of the run: one signal may end its workers, too, whose nodes are then left to the next run
   */
  async #canRetry(
    node: PlanNode,
    worker: NodeWorker,
    thrown: unknown,
    pending: Set<string>,
    signal: AbortSignal,
  ): Promise<boolean> {
    const error = await lossBehind(thrown, this.#options.store, Object.values(this.#inputAddresses(node)).flat());
    if (error instanceof WorkerLostError) {
      for (const { id } of this.#plan.nodes) if (this.#ranBy.get(id) === worker) this.#ranBy.delete(id);
      for (const [address, holder] of this.#holders) if (holder === worker) this.#holders.delete(address);
    } else if (!(error instanceof InputLostError)) return false;
    if (error instanceof InputLostError) this.#lose(node.id, error);
    // also what the lost artifacts were made of, where that has been removed
    await this.#addLost(pending);
    if (signal.aborted || error instanceof InputLostError) return true;
    return this.#retries.canTryAgain(node.id, error);
  }

  /** Artifacts are lost: also who still has them in memory forgets them, and writes them again. @param reader what needs them */
  #lose(reader: string, error: InputLostError): void {
    this.#retries.countLoss(reader, error);
    for (const address of error.addresses) {
      this.#holders.get(address)?.remove([address], this.#recorded);
      this.#holders.delete(address);
    }
  }

  async #record(node: PlanNode, address: string): Promise<void> {
    const output = firstOutput(this.#stage(node));
    await this.#recorded;
    const recorded = this.#options.manifest.set(await this.#key(node), { [output.name]: address });
    recorded.catch(() => {}); // it is awaited at the end
    this.#recorded = recorded;
    if (output.folder === true) await recorded;
  }

  #stage(node: PlanNode): Stage {
    return stageOf(this.#options.stages, node.stage);
  }

  async #key(node: PlanNode): Promise<string> {
    const { resources, context } = this.#options;
    const options: StageOptions = await resources.resolve(await optionTable(this.#stage(node), node.options), node.options);
    const processors = this.#options.processorClass?.(node);
    const device = deviceOf(this.#stage(node), context);
    // what a program of other versions has made is made again: this one could not read it
    const kinds: Readonly<Record<string, { readonly version: number } | undefined>> = artifactKinds;
    const versions = Object.values(this.#stage(node).outputs).map(({ kind }) => kinds[kind]?.version);
    return manifestKey(
      await resources.code(node.stage),
      {
        ...options,
        threads: context.threads,
        versions,
        ...(device && { device }),
        ...(processors !== undefined && { processors }),
      },
      this.#inputAddresses(node),
    );
  }

  #inputAddresses(node: PlanNode): Record<string, string[]> {
    const addressOf = (id: string): string => {
      const address = this.#addresses.get(id);
      if (address === undefined) throw new InternalError(`${node.id} comes before ${id} in the plan`);
      return address;
    };
    return Object.fromEntries(Object.entries(node.inputs).map(([name, ids]) => [name, ids.map(addressOf)]));
  }

  /** Learns the addresses of what is done, and which nodes have to run. @throws {BadDataError} on a damaged model */
  async #findPending(): Promise<Set<string>> {
    const pending = new Set<string>();
    for (const node of this.#plan.nodes) {
      const waits = [...Object.values(node.inputs).flat(), ...node.after].some((id) => !this.#addresses.has(id));
      const address = waits
        ? undefined
        : this.#options.manifest.get(await this.#key(node))?.[firstOutput(this.#stage(node)).name];
      if (address === undefined) {
        pending.add(node.id);
        continue;
      }
      this.#addresses.set(node.id, address);
      this.#learn(node, address);
    }
    for (const node of this.#plan.nodes) {
      const address = this.#addresses.get(node.id);
      const { folder = false } = firstOutput(this.#stage(node));
      if (!folder || address === undefined) continue;
      if (!(await isWholeModel(this.#options.folder, address, this.#options.context.signal))) pending.add(node.id);
    }
    await this.#addLost(pending);
    return pending;
  }

  /** Adds nodes whose output is gone although a pending node has to read it; from the last to the first, since they read too. */
  async #addLost(pending: Set<string>): Promise<void> {
    // what is to be removed is there until its turn comes, and must not count as there
    await this.#options.store.flush();
    for (const node of this.#plan.nodes.toReversed()) {
      const address = this.#addresses.get(node.id);
      if (address === undefined || pending.has(node.id) || !(await this.#isLost(node, address, pending))) continue;
      pending.add(node.id);
      this.#options.onRetry(node);
    }
  }

  /** Whether a recorded artifact is gone, or damaged where nothing would notice, although it has to be there. */
  async #isLost(node: PlanNode, address: string, pending: ReadonlySet<string>): Promise<boolean> {
    const { folder = false } = firstOutput(this.#stage(node));
    if (folder || this.#holders.has(address)) return false;
    const readers = this.#outputs.readers.get(node.id) ?? [];
    const isRead = readers.some((id) => pending.has(id));
    const released = !this.#isResult(address) && this.#outputs.intermediate.has(node.id) && !isRead;
    if (released) return false;
    // damage of what a pending node reads is found when it reads; of the rest, what people may read is looked at here
    const { store } = this.#options;
    if (!isRead && !isIntermediate(node, this.#stage(node))) await store.removeDamaged([address]);
    return !(await store.has(address));
  }

  /** Whether an artifact is copied to the output folder at the end of the run. */
  #isResult(address: string): boolean {
    return this.#outputs.results.some((id) => this.#addresses.get(id) === address);
  }

  /** A model that this run makes is known by its address before it is read back. */
  #learn(node: PlanNode, address: string): void {
    if (firstOutput(this.#stage(node)).folder !== true) return;
    // its paths are not needed: they are checked for what a run reads, and it reads no path that it writes
    this.#options.resources.set("model", this.#plan.modelFolder, { address, paths: [] });
  }

  /**
   * Removes intermediate artifacts that are not needed any more, also those of a killed run. What passes is freed at once; what it
   * was made of stays until a node whose output is written has read it.
   */
  #sweep(released: readonly string[]): void {
    const { store } = this.#options;
    for (const address of released) {
      if (this.#removed.has(address) || this.#isResult(address)) continue;
      this.#removed.add(address);
      const holder = this.#holders.get(address);
      holder?.remove([address], this.#recorded);
      // another worker may have written the same content, as another node's
      if (holder === undefined || this.#options.workers.length > 1) store.remove(address, this.#recorded);
      this.#holders.delete(address);
    }
  }

  async #report(node: PlanNode, address: string): Promise<NodeReport> {
    const { store, context } = this.#options;
    const stage = this.#stage(node);
    const inputs = Object.fromEntries(
      Object.entries(this.#inputAddresses(node)).map(([name, addresses]) => [name, addresses.map((input) => store.path(input))]),
    );
    const table = await optionTable(stage, node.options);
    const output = firstOutput(stage).folder === true ? `${node.id}/` : `${node.id}.arrow`;
    const command = replayCommand(stage, {
      table,
      options: node.options,
      inputs,
      output,
      threads: context.threads,
      device: deviceOf(stage, context),
    });
    return { id: node.id, stage: node.stage, address, command };
  }
}
