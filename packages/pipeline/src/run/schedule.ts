import type { PlanNode } from "../plan/plan.ts";

/** Ids of all nodes that have to be done before a node. */
const before = ({ inputs, after }: PlanNode): ReadonlySet<string> => new Set([...Object.values(inputs).flat(), ...after]);

/** For each node the number of nodes on the longest way from it to the end of the plan. */
function heights(nodes: readonly PlanNode[]): ReadonlyMap<string, number> {
  const found = new Map<string, number>(nodes.map(({ id }) => [id, 1]));
  for (const node of nodes.toReversed()) {
    const height = 1 + (found.get(node.id) ?? 1);
    for (const id of before(node)) found.set(id, Math.max(height, found.get(id) ?? 1));
  }
  return found;
}

/** Where a schedule begins. */
export interface ScheduleState<Worker> {
  /** Nodes that are not done, those that run now among them. */
  readonly pending: ReadonlySet<string>;
  readonly running: ReadonlySet<string>;
  /** Node → the worker that ran it, where that is there still. */
  readonly ranBy: ReadonlyMap<string, Worker>;
}

/** How workers differ. */
export interface WorkerRules<Worker> {
  readonly takes: (worker: Worker, node: PlanNode) => boolean;
  /** The same for all workers that hand nodes on to one crew, which finds out itself who of it has what; undefined for others. */
  readonly crewOf: (worker: Worker) => object | undefined;
}

/** Workers of which each runs any node itself. */
const alike: WorkerRules<unknown> = { takes: () => true, crewOf: () => undefined };

/**
 * Says which node runs next on a worker: bookkeeping alone, for the engine and for the simulation of larger clusters.
 *
 * A node can run when all that it reads is done. One that follows another goes to the worker that ran that one, and waits for
 * it. Of the others a worker takes first what reads its own work, last what reads the work of another worker that is free too,
 * and otherwise what has the longest way to the end of the plan. What another free worker would take first, and has made the
 * input of, is left to that one: a shard that moved to a worker that has one already would stay there for a whole step. One
 * worker alone takes nodes in the order of the plan.
 */
export class Schedule<Worker> {
  readonly #ranBy: Map<string, Worker>;
  readonly #ready = new Set<PlanNode>();
  /** Node → how many of those before it are not done. */
  readonly #unmet = new Map<PlanNode, number>();
  readonly #readers = new Map<string, PlanNode[]>();
  readonly #heights: ReadonlyMap<string, number>;
  readonly #rules: WorkerRules<Worker>;
  readonly #places: ReadonlyMap<string, number>;

  constructor(
    nodes: readonly PlanNode[],
    { pending, running, ranBy }: ScheduleState<Worker>,
    rules: WorkerRules<Worker> = alike,
  ) {
    this.#rules = rules;
    this.#ranBy = new Map(ranBy);
    this.#heights = heights(nodes);
    this.#places = new Map(nodes.map(({ id }, place) => [id, place]));
    for (const node of nodes) {
      if (!pending.has(node.id) || running.has(node.id)) continue;
      const unmet = [...before(node)].filter((id) => pending.has(id));
      for (const id of unmet) this.#readers.set(id, [...(this.#readers.get(id) ?? []), node]);
      if (unmet.length === 0) this.#ready.add(node);
      else this.#unmet.set(node, unmet.length);
    }
  }

  /** Nodes on the longest way from one to the end of the plan, itself included. */
  height({ id }: PlanNode): number {
    return this.#heights.get(id) ?? 0;
  }

  #isSame(one: Worker, other: Worker): boolean {
    const crew = this.#rules.crewOf(one);
    return one === other || (crew !== undefined && crew === this.#rules.crewOf(other));
  }

  /**
   * The next node for a worker, which is then no longer waiting; undefined where there is none.
   *
   * @param isAlone whether it is the only worker
   * @param isBusy whether another worker is at work
   */
  next(worker: Worker, isAlone: boolean, isBusy: (other: Worker) => boolean): PlanNode | undefined {
    const place = ({ id }: PlanNode): number => this.#places.get(id) ?? 0;
    const { takes, crewOf } = this.#rules;
    /** The worker that has made the first input of a node, and may have it at hand. */
    const makerOf = ({ inputs }: PlanNode): Worker | undefined => {
      const [main] = Object.values(inputs).flat();
      const maker = main === undefined ? undefined : this.#ranBy.get(main);
      return maker === undefined || crewOf(maker) !== undefined ? undefined : maker;
    };
    /** What a worker could run, the best first. */
    const candidatesOf = (one: Worker): readonly PlanNode[] => {
      const candidates = [...this.#ready].filter((node) => {
        if (!takes(one, node)) return false;
        const owner = node.follows === undefined ? undefined : this.#ranBy.get(node.follows);
        return owner === undefined || this.#isSame(owner, one) || !takes(owner, node);
      });
      /** 0 for a node whose first input this worker has made, 2 where another one has that is free, 1 for all others. */
      const distance = (node: PlanNode): number => {
        const maker = makerOf(node);
        if (maker === undefined || crewOf(one) !== undefined || (maker !== one && isBusy(maker))) return 1;
        return maker === one ? 0 : 2;
      };
      return candidates.toSorted(
        isAlone
          ? (a, b) => place(a) - place(b)
          : (a, b) => distance(a) - distance(b) || this.height(b) - this.height(a) || place(a) - place(b),
      );
    };
    const isLeft = (node: PlanNode): boolean => {
      const maker = makerOf(node);
      return maker !== undefined && maker !== worker && !isBusy(maker) && candidatesOf(maker)[0] === node;
    };
    const chosen = candidatesOf(worker).find((node) => !isLeft(node));
    if (chosen !== undefined) this.#ready.delete(chosen);
    return chosen;
  }

  /** A node is done, so that others may run. */
  done(id: string, worker: Worker): void {
    this.#ranBy.set(id, worker);
    for (const reader of this.#readers.get(id) ?? []) {
      const unmet = (this.#unmet.get(reader) ?? 1) - 1;
      if (unmet > 0) {
        this.#unmet.set(reader, unmet);
      } else {
        this.#unmet.delete(reader);
        this.#ready.add(reader);
      }
    }
  }
}
