import { optionTable } from "@mbs/contracts";
import type { Stage } from "@mbs/contracts";
import { stageOf } from "../../plan/known-stages.ts";
import type { Stages } from "../../plan/known-stages.ts";
import type { PlanNode } from "../../plan/nodes/plan-node.ts";
import type { Resources } from "../../resources/resources.ts";
import { InputLostError } from "../node-worker.ts";
import type { NodeDone, NodeTask, NodeWorker, TaskContext } from "../node-worker.ts";
import type { JobBoard } from "./job-board.ts";
import type { SharedArtifacts } from "./shared-artifacts.ts";

const inputsOf = ({ inputs }: NodeTask): string[] => [...new Set(Object.values(inputs).flat())];

/** The worker that runs what others cannot run, for messages. */
export const thisMachine = "this machine";

/** What all slots of a run share. */
export interface SlotTools {
  readonly board: JobBoard;
  readonly artifacts: SharedArtifacts;
  readonly stages: Stages;
  readonly resources: Resources;
  readonly threads: number;
  readonly processors: string;
  /** Of the program. */
  readonly version: string;
  readonly takes: (node: PlanNode) => boolean;
}

/** Has nodes run by workers on other machines, one at a time: as many slots, as many jobs at once. */
export class QueueSlot implements NodeWorker {
  readonly name = "the queue";
  readonly takes: (node: PlanNode) => boolean;
  readonly executor: object;
  readonly #tools: SlotTools;

  constructor(tools: SlotTools) {
    this.#tools = tools;
    this.takes = tools.takes;
    this.executor = tools.board;
  }

  async run(task: NodeTask, context: TaskContext): Promise<NodeDone> {
    const { board, artifacts, stages, resources, threads, processors, version: mbs } = this.#tools;
    const { id, inputs, affinity, height } = task;
    const { signal } = context;
    await artifacts.publish(inputsOf(task), signal);
    const stage: Stage = stageOf(stages, task.stage);
    const options = await resources.resolve(await optionTable(stage, task.options), task.options);
    const work = { stage: stage.name, options, inputs, threads, processors, mbs };
    const isThere = (made: string): Promise<boolean> => artifacts.isShared(made, signal);
    try {
      const { address, worker } = await board.ask({ work, node: id, affinity, height, isThere }, context);
      return { address, worker };
    } catch (cause) {
      if (cause instanceof InputLostError) await artifacts.removeDamaged(cause.addresses);
      throw cause;
    }
  }

  /** The engine removes from both stores itself. */
  remove(): void {}

  async flush(): Promise<void> {}
}

/** Runs nodes on this machine which others cannot run, on artifacts that it brings from the store. */
export class HomeWorker implements NodeWorker {
  readonly name = thisMachine;
  readonly takes: (node: PlanNode) => boolean;
  readonly #worker: NodeWorker;
  readonly #artifacts: SharedArtifacts;

  constructor(worker: NodeWorker, artifacts: SharedArtifacts, takes: (node: PlanNode) => boolean) {
    this.#worker = worker;
    this.#artifacts = artifacts;
    this.takes = takes;
  }

  async run(task: NodeTask, context: TaskContext): Promise<NodeDone> {
    const { address } = await this.#artifacts.reading(inputsOf(task), context.signal, () => this.#worker.run(task, context));
    return { address, worker: this.name };
  }

  remove(addresses: readonly string[], after: Promise<unknown>): void {
    this.#worker.remove(addresses, after);
  }

  flush(): Promise<void> {
    return this.#worker.flush();
  }
}
