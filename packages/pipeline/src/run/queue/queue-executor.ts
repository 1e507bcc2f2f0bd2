import { hostname } from "node:os";
import { InternalError, UsageError, availableProcessors, firstOutput, formatBytes, optionTable } from "@mbs/contracts";
import { openSharedStore } from "@mbs/shared-store";
import type { SharedStore } from "@mbs/shared-store";
import type { ArtifactStore } from "@mbs/artifacts";
import { stageOf } from "../../plan/known-stages.ts";
import { isIntermediate } from "../../plan/nodes/plan-node.ts";
import type { PlanNode } from "../../plan/nodes/plan-node.ts";
import type { Executor, OpenExecutor, ExecutorOptions, ExecutorRun } from "../executor.ts";
import type { LocalExecutor } from "../local-executor.ts";
import { nodeClasses, travellingNodes } from "../node-classes.ts";
import type { RunFolder } from "../run-folder.ts";
import { readMachine, recordMachine } from "../run-machine.ts";
import type { RunMachine } from "../run-machine.ts";
import { addTraffic, noTraffic } from "../store-traffic.ts";
import type { Traffic, WorkerTraffic } from "../store-traffic.ts";
import { JobBoard } from "./job-board.ts";
import { parsePublished } from "./messages.ts";
import { publishModel } from "./publish-model.ts";
import { connectQueue, orStopped } from "./queue-connection.ts";
import type { QueueConnection, QueuePlace } from "./queue-connection.ts";
import { keys, mixedClass, requireName, usualTimings } from "./queue-names.ts";
import type { QueueTimings } from "./queue-names.ts";
import { HomeWorker, QueueSlot, thisMachine } from "./queue-slot.ts";
import { orRefusal } from "./server-faults.ts";
import { SharedArtifacts } from "./shared-artifacts.ts";
import { WorkerWatch } from "./worker-watch.ts";

/** How a run uses workers on other machines. */
export interface QueueChoice extends QueuePlace {
  /** The store that all machines see: a folder, or "s3://BUCKET/PREFIX". */
  readonly store: string;
  /** Jobs that are asked for at the same time; default 64. */
  readonly slots?: number | undefined;
  /** The class of processors to take; default that of the first worker that answers. */
  readonly processors?: string | undefined;
  /** Take workers of any class: results may then differ in the last bits from one run to the next. */
  readonly mixed?: boolean;
  /** Stage → label of the workers that run it. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Put the models of the recipe into the store, for workers that do not have them. */
  readonly publishModel?: boolean;
  readonly timings?: Partial<QueueTimings>;
}

/** The class and threads that a run takes. */
interface QueueMachine {
  readonly processors: string;
  /** Of the worker that answered first; absent where none was waited for. */
  readonly threads?: number;
}

const defaultSlots = 64;

/** @throws {UsageError} where a stage with a label has nodes in a plan, and none of them goes to a worker */
function requireTravelling(labelled: readonly string[], { plan, stages }: Pick<ExecutorRun, "plan" | "stages">): void {
  const travelling = new Set(plan.nodes.filter(travellingNodes(plan, stages)).map(({ stage }) => stage));
  const planned = new Set(plan.nodes.map(({ stage }) => stage));
  const staying = labelled.find((stage) => planned.has(stage) && !travelling.has(stage));
  if (staying === undefined) return;
  throw new UsageError(
    `--worker-labels: ${staying} runs where the run was started; of the stages of this run, workers run ${[...travelling].join(", ")}`,
  );
}

/** Has nodes run by workers at a queue, which meet the run at a store; what they cannot run, a worker of this machine does. */
export class QueueExecutor implements Executor {
  readonly #choice: QueueChoice;
  readonly #options: ExecutorOptions;
  readonly #home: LocalExecutor;
  readonly #connection: QueueConnection;
  readonly #store: SharedStore;
  readonly #watch: WorkerWatch;
  #begun: { readonly run: ExecutorRun; readonly artifacts: SharedArtifacts; readonly board: JobBoard } | undefined;

  private constructor(
    choice: QueueChoice,
    options: ExecutorOptions,
    { home, connection, store }: { home: LocalExecutor; connection: QueueConnection; store: SharedStore },
  ) {
    this.#choice = choice;
    this.#options = options;
    this.#home = home;
    this.#connection = connection;
    this.#store = store;
    this.#watch = new WorkerWatch(connection, options.warn);
  }

  /**
   * @param home runs what others cannot run
   * @throws {UsageError} on a label of a stage that no worker runs
   * @throws as connectQueue and openSharedStore
   */
  static async open(
    choice: QueueChoice,
    options: ExecutorOptions,
    home: LocalExecutor,
    planned: Pick<ExecutorRun, "plan" | "stages">,
  ): Promise<QueueExecutor> {
    if (choice.processors !== undefined) requireName(choice.processors, "a class");
    for (const label of Object.values(choice.labels ?? {})) requireName(label, "a label");
    requireTravelling(Object.keys(choice.labels ?? {}), planned);
    const store = await openSharedStore(choice.store, { create: true });
    try {
      const connection = await connectQueue(choice, options.warn, options.signal);
      return new QueueExecutor(choice, options, { home, connection, store });
    } catch (cause) {
      await store.close();
      throw cause;
    }
  }

  async machineOf(folder: RunFolder): Promise<RunMachine> {
    const { threads, note } = this.#options;
    const queued = await this.#chooseMachine((await readMachine(folder))?.processors);
    const chosen = { threads: queued.threads ?? availableProcessors(), workers: 1 };
    const recorded = await recordMachine(folder, { threads, processors: queued.processors }, chosen);
    note(`takes workers of class ${queued.processors}, with ${recorded.threads} threads each`);
    return recorded;
  }

  /** @param known the class that the run began with */
  async #chooseMachine(known: string | undefined): Promise<QueueMachine> {
    const { mixed = false, processors = known } = this.#choice;
    if (mixed) return { processors: mixedClass };
    if (known !== undefined && processors !== undefined) return { processors };
    const first = await orRefusal(this.#connection.place, this.#watch.first(processors, this.#options.signal));
    return { processors: first.processors, threads: first.threads };
  }

  async begin(run: ExecutorRun): Promise<OpenExecutor> {
    const { stages, plan, resources, folder, machine } = run;
    const { threads, processors, name } = machine;
    const { slots = defaultSlots, labels = {}, publishModel: isPublished = false, timings } = this.#choice;
    const { warn, signal } = this.#options;
    if (processors === undefined || name === undefined) throw new InternalError("a run on a queue was not recorded");
    const { local, workers: homeWorkers } = await this.#home.begin(run);
    const note = `${folder.root} on ${hostname()}`;
    const artifacts = new SharedArtifacts({ local, shared: this.#store, run: name, note, warn });
    const { travels, processorClass } = nodeClasses(plan, stages, processors);
    const published = isPublished ? await this.#publishModels(run, travels, { local, artifacts }) : new Map<string, string>();
    const board = await JobBoard.open(
      {
        connection: this.#connection,
        store: this.#store.place,
        watch: this.#watch,
        run: name,
        processors,
        labels,
        published,
        timings: { ...usualTimings, ...timings },
      },
      signal,
    );
    this.#begun = { run, artifacts, board };
    const { version } = this.#connection;
    const tools = { board, artifacts, stages, resources, threads, processors, version, takes: travels };
    const workers = [
      ...homeWorkers.map((worker) => new HomeWorker(worker, artifacts, (node) => !travels(node))),
      ...Array.from({ length: slots }, () => new QueueSlot(tools)),
    ];
    return { workers, local, artifacts, processorClass };
  }

  /** Puts the models that workers read into the store. @returns address → that of its files there */
  async #publishModels(
    { plan, stages, resources }: ExecutorRun,
    travels: (node: PlanNode) => boolean,
    places: { readonly local: ArtifactStore; readonly artifacts: SharedArtifacts },
  ): Promise<ReadonlyMap<string, string>> {
    const { signal, note } = this.#options;
    const paths = new Set<string>();
    for (const { stage, options } of plan.nodes.filter(travels)) {
      for (const [name, option] of Object.entries(await optionTable(stageOf(stages, stage), options))) {
        if (option.kind !== "resource") continue;
        for (const path of [options[name]].flat()) if (typeof path === "string") paths.add(path);
      }
    }
    const published = new Map<string, string>();
    for (const path of paths) {
      const model = await resources.address("model", path);
      const { place, redis, seal } = this.#connection;
      const known = parsePublished(model, await orRefusal(place, orStopped(redis.get(keys.model(model)), signal)), seal);
      note(`publishes ${path} to ${this.#store.place}`);
      published.set(model, await publishModel(path, known, { ...places, signal }));
    }
    return published;
  }

  /** Brings what the run's folder has without a queue, too. */
  async gather(addresses: ReadonlyMap<string, string>): Promise<void> {
    if (this.#begun === undefined) return;
    const { artifacts, run } = this.#begun;
    const kept = run.plan.nodes.filter((node) => {
      const stage = stageOf(run.stages, node.stage);
      return !isIntermediate(node, stage) && firstOutput(stage).folder !== true;
    });
    await artifacts.bring(kept.flatMap(({ id }) => addresses.get(id) ?? []));
  }

  /** Gives up what the run had in the store. */
  async finish(): Promise<void> {
    await this.#home.finish();
    await this.#begun?.artifacts.release();
    const { fetched, put } = this.traffic().reduce<Traffic>(addTraffic, noTraffic);
    this.#options.note(`${formatBytes(put)} were put into the store and ${formatBytes(fetched)} fetched from it`);
  }

  traffic(): readonly WorkerTraffic[] {
    if (this.#begun === undefined) return [];
    const { artifacts, board } = this.#begun;
    return [[thisMachine, artifacts.traffic] as const, ...board.traffic].map(([worker, moved]) => ({ worker, ...moved }));
  }

  async close(): Promise<void> {
    await this.#home.close();
    this.#begun?.board.close();
    this.#connection.close();
    await this.#store.close();
  }
}
