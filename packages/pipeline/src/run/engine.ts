import { performance } from "node:perf_hooks";
import { manifestKey, unpackFiles } from "@mbs/artifacts";
import type { ArtifactStore, RunManifest } from "@mbs/artifacts";
import { InternalError, InterruptedError, firstOutput } from "@mbs/contracts";
import type { ArtifactStream, Stage, StageContext, StageOptions } from "@mbs/contracts";
import { isWholeModel, recordModelFiles } from "./model-files.ts";
import { requireOwnModel } from "./own-files.ts";
import type { Plan, PlanNode } from "../plan/plan.ts";
import { replayCommand } from "./replay-command.ts";
import type { Resources } from "../resources/resources.ts";
import type { RunFolder } from "./run-folder.ts";
import { optionTable, stageOf } from "../plan/known-stages.ts";
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
}

export interface EngineOptions {
  readonly stages: Stages;
  readonly folder: RunFolder;
  readonly store: ArtifactStore;
  readonly manifest: RunManifest;
  readonly resources: Resources;
  readonly context: StageContext;
  readonly keep: boolean;
  readonly onNode: (report: NodeReport) => void;
}

/**
 * Runs the nodes of a plan in order, in this process, through the contract of stages alone.
 *
 * A node is known by its stage, options, threads and the addresses of all that it reads. What has been made is not made
 * again, so a run that ended anywhere goes on where it was.
 */
export class Engine {
  readonly #plan: Plan;
  readonly #options: EngineOptions;
  readonly #readers = new Map<string, string[]>();
  readonly #addresses = new Map<string, string>();
  /** Nodes whose output need not be written. */
  readonly #passing: ReadonlySet<string>;
  /** The last write of the manifest, which goes on while the next node runs: a node whose record is lost is run again. */
  #recorded: Promise<void> = Promise.resolve();

  constructor(plan: Plan, options: EngineOptions) {
    this.#plan = plan;
    this.#options = options;
    for (const node of plan.nodes) {
      for (const id of Object.values(node.inputs).flat()) this.#readers.set(id, [...(this.#readers.get(id) ?? []), node.id]);
    }
    this.#passing = options.keep ? new Set() : this.#findPassing();
  }

  /**
   * Nodes whose output is needed between two checkpoints alone: a run that is killed there goes on from the first, and one that
   * is killed later does not need it.
   */
  #findPassing(): Set<string> {
    const last = new Map<string, number>();
    let checkpoints = 0;
    for (const node of this.#plan.nodes) {
      if (firstOutput(this.#stage(node)).checkpoint === true) checkpoints += 1;
      last.set(node.id, checkpoints);
    }
    const passes = (node: PlanNode): boolean => {
      const { intermediate = false, checkpoint = false } = firstOutput(this.#stage(node));
      const from = last.get(node.id);
      const isResult = node.result !== undefined;
      return (
        !isResult &&
        intermediate &&
        !checkpoint &&
        from !== 0 &&
        (this.#readers.get(node.id) ?? []).every((id) => last.get(id) === from)
      );
    };
    return new Set(this.#plan.nodes.filter(passes).map(({ id }) => id));
  }

  /** @returns the address of every node's output; all of them that are needed, and their record, are on the disk */
  async run(): Promise<ReadonlyMap<string, string>> {
    try {
      const addresses = await this.#runNodes();
      await this.#writeAll();
      return addresses;
    } catch (cause) {
      // what was done stays done; the first error is the one to report
      await this.#writeAll().catch(() => {});
      throw cause;
    }
  }

  async #writeAll(): Promise<void> {
    await this.#options.store.flush();
    await this.#recorded;
  }

  async #runNodes(): Promise<ReadonlyMap<string, string>> {
    const pending = await this.#findPending();
    this.#sweep(pending);
    for (const [index, node] of this.#plan.nodes.entries()) {
      if (this.#options.context.signal.aborted) {
        throw new InterruptedError(`stopped after ${index} of ${this.#plan.nodes.length} steps; run again to go on`, {
          done: index,
        });
      }
      const before = this.#addresses.get(node.id);
      if (!pending.has(node.id) && before !== undefined) {
        this.#options.onNode(await this.#report(node, before));
        continue;
      }
      const started = performance.now();
      const address = await this.#execute(node, index);
      if (before !== undefined && before !== address) {
        const { loadedFrom } = this.#stage(node);
        const remedy =
          loadedFrom === undefined
            ? "start over with --force"
            : `the same input must give the same bytes: fix ${loadedFrom}, then start over with --force`;
        throw new InternalError(`${node.id} gave ${address} where an earlier run had ${before}; ${remedy}`, { node: node.id });
      }
      const seconds = (performance.now() - started) / 1000;
      this.#addresses.set(node.id, address);
      await this.#record(node, address);
      pending.delete(node.id);
      this.#options.onNode({ ...(await this.#report(node, address)), seconds });
      this.#sweep(pending);
    }
    return this.#addresses;
  }

  async #record(node: PlanNode, address: string): Promise<void> {
    const output = firstOutput(this.#stage(node));
    await this.#recorded;
    const recorded = this.#options.manifest.set(await this.#key(node), { [output.name]: address });
    recorded.catch(() => {}); // it is awaited at the end
    this.#recorded = recorded;
    // whose model lies in the folder is read from the record
    if (output.folder === true) await recorded;
  }

  #stage(node: PlanNode): Stage {
    return stageOf(this.#options.stages, node.stage);
  }

  async #key(node: PlanNode): Promise<string> {
    const { resources, context } = this.#options;
    const options: StageOptions = await resources.resolve(await optionTable(this.#stage(node), node.options), node.options);
    return manifestKey(await resources.code(node.stage), { ...options, threads: context.threads }, this.#inputAddresses(node));
  }

  #inputAddresses(node: PlanNode): Record<string, string[]> {
    const addressOf = (id: string): string => {
      const address = this.#addresses.get(id);
      if (address === undefined) throw new InternalError(`${node.id} comes before ${id} in the plan`);
      return address;
    };
    return Object.fromEntries(Object.entries(node.inputs).map(([name, ids]) => [name, ids.map(addressOf)]));
  }

  /** Learns the addresses of what is done, and which nodes have to run. */
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
    for (const node of this.#plan.nodes.toReversed()) {
      const address = this.#addresses.get(node.id);
      if (address !== undefined && (await this.#isLost(node, address, pending))) pending.add(node.id);
    }
    return pending;
  }

  /** Whether a recorded output is gone although something still has to read it. @throws {BadDataError} on a damaged model */
  async #isLost(node: PlanNode, address: string, pending: ReadonlySet<string>): Promise<boolean> {
    const { folder = false, intermediate = false } = firstOutput(this.#stage(node));
    if (folder) return !(await isWholeModel(this.#options.folder, address, this.#options.context.signal));
    const readers = this.#readers.get(node.id) ?? [];
    const released = !this.#isResult(address) && !this.#options.keep && intermediate && readers.every((id) => !pending.has(id));
    return !released && !(await this.#options.store.has(address));
  }

  /** Whether an artifact is copied to the output folder at the end of the run. */
  #isResult(address: string): boolean {
    return this.#plan.nodes.some(({ id, result }) => result !== undefined && this.#addresses.get(id) === address);
  }

  /** A model that this run makes is known by its address before it is read back. */
  #learn(node: PlanNode, address: string): void {
    if (firstOutput(this.#stage(node)).folder !== true) return;
    // its paths are not needed: they are checked for what a run reads, and it reads no path that it writes
    this.#options.resources.set("model", this.#plan.modelFolder, { address, paths: [] });
  }

  async #execute(node: PlanNode, index: number): Promise<string> {
    const { folder, store, context } = this.#options;
    const stage = this.#stage(node);
    // code of others may change what it reads and what it has made
    const isOurs = stage.loadedFrom === undefined;
    const inputs: Record<string, ArtifactStream[]> = {};
    for (const [name, addresses] of Object.entries(this.#inputAddresses(node))) {
      inputs[name] = await Promise.all(addresses.map((address) => store.open(address, { shared: isOurs })));
    }
    const where = `${node.id} (${index + 1} of ${this.#plan.nodes.length})`;
    const outputs = await stage.run(inputs, node.options, {
      ...context,
      progress: (progress) => context.progress({ ...progress, activity: `${where}: ${progress.activity}` }),
      warn: (message) => context.warn(`${node.id}: ${message}`),
    });
    const { name, folder: isFolder = false } = firstOutput(stage);
    const output = outputs[name];
    if (output === undefined) throw new InternalError(`stage ${stage.name} made no output ${name}`, { stage: stage.name });
    const { signal } = context;
    const when = !isOurs ? "now" : this.#passing.has(node.id) ? "late" : "behind";
    if (!isFolder) return (await store.put(output, { signal, when })).address;
    // checked again: the folder was claimed long ago
    await requireOwnModel(folder, this.#options.manifest);
    const unpacked = await unpackFiles(output, folder.model, { signal, force: true });
    await recordModelFiles(folder, unpacked);
    this.#learn(node, unpacked.address);
    return unpacked.address;
  }

  /**
   * Removes intermediate artifacts that no pending node reads, also those of a killed run. What passes is freed at once; what it
   * was made of stays until a node whose output is written has read it.
   */
  #sweep(pending: ReadonlySet<string>): void {
    const { store, keep } = this.#options;
    if (keep) return;
    const needed = new Set<string>();
    const released = new Set<string>();
    /** Passing nodes that a killed run makes again, from the artifacts that they read. */
    const unfinished = new Set<string>();
    for (const { id, stage } of this.#plan.nodes.toReversed()) {
      const readers = this.#readers.get(id) ?? [];
      const isRead = readers.some((reader) => pending.has(reader));
      const isRemade = readers.some((reader) => unfinished.has(reader));
      const isPassing = this.#passing.has(id);
      if (isPassing && (isRead || isRemade)) unfinished.add(id);
      const address = this.#addresses.get(id);
      if (address === undefined || firstOutput(stageOf(this.#options.stages, stage)).intermediate !== true) continue;
      const wanted = this.#isResult(address) || isRead || (isRemade && !isPassing);
      (wanted ? needed : released).add(address);
    }
    for (const address of released) if (!needed.has(address)) store.remove(address, this.#recorded);
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
    });
    return { id: node.id, stage: node.stage, address, command };
  }
}
