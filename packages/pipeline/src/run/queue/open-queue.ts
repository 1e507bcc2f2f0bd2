import { hostname } from "node:os";
import type { ArtifactStore } from "@mbs/artifacts";
import { UsageError } from "@mbs/contracts";
import { openSharedStore } from "@mbs/shared-store";
import type { SharedStore } from "@mbs/shared-store";
import { stageOf } from "../../plan/known-stages.ts";
import type { Stages } from "../../plan/known-stages.ts";
import type { Plan, PlanNode } from "../../plan/plan.ts";
import type { Resources } from "../../resources/resources.ts";
import type { NodeWorker } from "../node-worker.ts";
import { canTravel } from "./job.ts";
import { processorClass } from "./processor-class.ts";
import { QueueCrew, firstWorker } from "./queue-crew.ts";
import { connectQueue } from "./queue-connection.ts";
import type { QueueConnection, QueuePlace } from "./queue-connection.ts";
import { mixedClass, namePattern, usualTimings } from "./queue-names.ts";
import type { QueueTimings } from "./queue-names.ts";
import { HomeWorker, QueueSlot } from "./queue-slot.ts";
import { SharedArtifacts } from "./shared-artifacts.ts";

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
  readonly timings?: Partial<QueueTimings>;
}

export interface QueueContext {
  readonly signal: AbortSignal;
  readonly warn: (message: string) => void;
}

/** The class and threads that a run takes. */
export interface QueueMachine {
  readonly processors: string;
  /** Of the worker that answered first; absent where none was waited for. */
  readonly threads?: number;
}

/** What of a run the queue needs to know. */
export interface QueuedRun {
  readonly stages: Stages;
  readonly plan: Plan;
  readonly resources: Resources;
  readonly local: ArtifactStore;
  readonly threads: number;
  readonly processors: string;
  /** Name of the run in the store. */
  readonly name: string;
  readonly output: string;
  /** Runs what others cannot run. */
  readonly home: NodeWorker;
}

export interface QueueWorkers {
  readonly workers: readonly NodeWorker[];
  readonly artifacts: SharedArtifacts;
}

const defaultSlots = 64;

/** Which nodes run elsewhere, and the class of processors that each is known by. */
export function nodeClasses(
  { nodes, modelFolder }: Plan,
  stages: Stages,
  processors: string,
): { readonly travels: (node: PlanNode) => boolean; readonly processorClass: (node: PlanNode) => string } {
  const travelling = new Set(
    nodes.flatMap(({ id, stage, options }) => (canTravel(stageOf(stages, stage), options, modelFolder) ? [id] : [])),
  );
  const here = processorClass();
  const travels = ({ id }: PlanNode): boolean => travelling.has(id);
  return { travels, processorClass: (node) => (travels(node) ? processors : here) };
}

/** A queue and a store that a run has opened. */
export class OpenQueue {
  readonly #choice: QueueChoice;
  readonly #connection: QueueConnection;
  readonly #store: SharedStore;
  readonly #context: QueueContext;
  #crew: QueueCrew | undefined;

  private constructor(choice: QueueChoice, connection: QueueConnection, store: SharedStore, context: QueueContext) {
    this.#choice = choice;
    this.#connection = connection;
    this.#store = store;
    this.#context = context;
  }

  /** @throws as connectQueue and openSharedStore */
  static async open(choice: QueueChoice, context: QueueContext): Promise<OpenQueue> {
    for (const name of [choice.processors ?? mixedClass, ...Object.values(choice.labels ?? {})]) {
      if (!namePattern.test(name))
        throw new UsageError(`"${name}" is no name of a class or label: letters, digits, "." and "-" are`);
    }
    const store = await openSharedStore(choice.store, { create: true });
    try {
      return new OpenQueue(choice, await connectQueue(choice, context.warn), store, context);
    } catch (cause) {
      await store.close();
      throw cause;
    }
  }

  /** @param known the class that the run began with */
  async chooseMachine(known: string | undefined): Promise<QueueMachine> {
    const { mixed = false, processors = known } = this.#choice;
    if (mixed) return { processors: mixedClass };
    if (known !== undefined && processors !== undefined) return { processors };
    const first = await firstWorker(this.#connection, { processors, ...this.#context });
    return { processors: first.processors, threads: first.threads };
  }

  async begin(run: QueuedRun): Promise<QueueWorkers> {
    const { stages, plan, resources, local, threads, processors, name, output, home } = run;
    const { slots = defaultSlots, labels = {}, timings } = this.#choice;
    const { warn } = this.#context;
    const artifacts = new SharedArtifacts({ local, shared: this.#store, run: name, note: `${output} on ${hostname()}`, warn });
    const { travels } = nodeClasses(plan, stages, processors);
    this.#crew = await QueueCrew.open({
      connection: this.#connection,
      run: name,
      processors,
      labels,
      timings: { ...usualTimings, ...timings },
      warn,
    });
    const tools = { crew: this.#crew, artifacts, stages, resources, threads, processors, takes: travels };
    const queued = Array.from({ length: slots }, () => new QueueSlot(tools));
    return { artifacts, workers: [new HomeWorker(home, artifacts, (node) => !travels(node)), ...queued] };
  }

  async close(): Promise<void> {
    this.#crew?.close();
    this.#connection.close();
    await this.#store.close();
  }
}
