import { basename } from "node:path";
import { ArtifactStore } from "@mbs/artifacts";
import { availableProcessors, defaultKept, splitKept } from "@mbs/contracts";
import type { Device } from "@mbs/contracts";
import { chooseDevice } from "@mbs/onnx";
import { stageOf } from "../plan/known-stages.ts";
import type { Executor, OpenExecutor, ExecutorOptions, ExecutorRun } from "./executor.ts";
import { nodeClasses } from "./node-classes.ts";
import { OwnWorker } from "./node-worker.ts";
import type { NodeWorker } from "./node-worker.ts";
import { processorClass } from "./processor-class.ts";
import type { RunFolder } from "./run-folder.ts";
import { adviseShards, chooseMachine, readMachine, recordMachine } from "./run-machine.ts";
import type { RunMachine } from "./run-machine.ts";
import type { WorkerTraffic } from "./store-traffic.ts";
import { ChildWorker } from "./workers/child-worker.ts";

export interface WorkerChoice {
  /** How many; no result depends on it. Absent: the number that the run began with, or one for each shard, at most one for each processor. */
  readonly count?: number | undefined;
  /** The program and arguments that start one, which calls `serveWorker`. */
  readonly command: readonly string[];
  /** Milliseconds that a node may take. */
  readonly nodeLimit?: number | undefined;
  /** Milliseconds that a node has to stop by itself when it is told to; default 10 000. */
  readonly stopGrace?: number;
}

/** Runs nodes on this machine: in processes of their own, or in this one. */
export class LocalExecutor implements Executor {
  /** Absent: this process runs the nodes, one after the other. */
  readonly #choice: WorkerChoice | undefined;
  readonly #options: ExecutorOptions;
  #children: readonly ChildWorker[] = [];

  constructor(choice: WorkerChoice | undefined, options: ExecutorOptions) {
    this.#choice = choice;
    this.#options = options;
  }

  async machineOf(folder: RunFolder, shards: number): Promise<RunMachine> {
    const { threads, note } = this.#options;
    // this process runs one node at a time, whatever the run began with
    const workers = this.#choice === undefined ? 1 : this.#choice.count;
    // a run that began on a queue goes on here where the processors are of the same class
    const known = await readMachine(folder);
    const isClassed = known?.processors !== undefined;
    const chosen = chooseMachine(availableProcessors(), this.#choice === undefined ? 1 : shards, workers);
    const given = {
      threads,
      workers,
      device: await this.#deviceFor(known, chosen.threads),
      processors: isClassed ? processorClass() : undefined,
    };
    const recorded = await recordMachine(folder, given, chosen);
    if (threads === undefined && recorded.threads !== chosen.threads) {
      note(`takes ${recorded.threads} threads, with which the run began, where this machine would choose ${chosen.threads}`);
    }
    if (recorded.device !== undefined) note("runs models on the graphics processor (WebGPU)");
    else if (this.#options.device === "auto") note("runs models on the processor");
    const advice = this.#choice && adviseShards(recorded, shards, availableProcessors());
    if (advice !== undefined) note(advice);
    return recorded;
  }

  /** The device of a new run; of one that has begun the one that was asked for, which must be its own. */
  async #deviceFor(known: RunMachine | undefined, threads: number): Promise<Device | undefined> {
    const { device: choice } = this.#options;
    if (choice === undefined || known === undefined) return choice && chooseDevice(choice, threads);
    return choice === "auto" ? undefined : choice;
  }

  async begin(run: ExecutorRun): Promise<OpenExecutor> {
    const { folder, stages, plan, machine } = run;
    const { memory } = this.#options;
    const local = new ArtifactStore(folder.artifacts, {
      memory: this.#choice === undefined ? splitKept(memory).artifacts : 0,
    });
    const workers = await this.#openWorkers(local, run);
    const { processors } = machine;
    return {
      workers,
      local,
      artifacts: local,
      ...(processors !== undefined && { processorClass: nodeClasses(plan, stages, processors).processorClass }),
    };
  }

  async #openWorkers(store: ArtifactStore, { folder, stages, machine, revisions }: ExecutorRun): Promise<readonly NodeWorker[]> {
    const { memory = defaultKept(), pool } = this.#options;
    const { threads, workers, device } = machine;
    const choice = this.#choice;
    if (choice === undefined)
      return [new OwnWorker({ folder, store, stage: async (name) => stageOf(stages, name), threads, device, pool })];
    // the workers have pools of their own
    await pool.close();
    const results = folder.results.map((path) => basename(path));
    const setting = { root: folder.root, results, threads, device, memory: Math.floor(memory / workers), revisions };
    const child = (index: number): ChildWorker => new ChildWorker({ ...choice, name: `worker ${index + 1}`, setting });
    this.#children = Array.from({ length: workers }, (_, index) => child(index));
    return this.#children;
  }

  /** All is there already. */
  async gather(): Promise<void> {}

  async finish(): Promise<void> {
    await this.close();
  }

  traffic(): readonly WorkerTraffic[] {
    return [];
  }

  async close(): Promise<void> {
    await Promise.all(this.#children.map((child) => child.close()));
  }
}
