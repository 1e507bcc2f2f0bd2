import { at } from "@mbs/contracts";
import type { PlanNode } from "../plan/nodes/plan-node.ts";

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
  /** Whether one worker alone runs all; default false. */
  readonly isAlone?: boolean;
}

/** How workers differ. */
export interface WorkerRules<Worker> {
  readonly takes: (worker: Worker, node: PlanNode) => boolean;
  /** The same for all workers that hand nodes on to one executor, which finds out itself who of it has what; undefined for others. */
  readonly executorOf: (worker: Worker) => object | undefined;
}

/** Workers of which each runs any node itself. */
const alike: WorkerRules<unknown> = { takes: () => true, executorOf: () => undefined };

type Order = (one: PlanNode, other: PlanNode) => number;

/** Nodes that are ready, the best first: thousands may be at once. */
class ReadyNodes {
  readonly #nodes: PlanNode[] = [];
  readonly #order: Order;

  constructor(order: Order) {
    this.#order = order;
  }

  add(node: PlanNode): void {
    let [from, to] = [0, this.#nodes.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (this.#order(node, at(this.#nodes, middle)) < 0) to = middle;
      else from = middle + 1;
    }
    this.#nodes.splice(from, 0, node);
  }

  best(isOpen: (node: PlanNode) => boolean): PlanNode | undefined {
    return this.#nodes.find(isOpen);
  }

  delete(node: PlanNode): void {
    const index = this.#nodes.indexOf(node);
    if (index !== -1) this.#nodes.splice(index, 1);
  }
}

/**
 * Says which node runs next on a worker: bookkeeping alone, for the engine and for the simulation of larger clusters.
 *
 * A node can run when all that it reads is done. One with an affinity to another goes to the worker that ran that one, and waits for
 * it. Of the others a worker takes first what reads its own work, last what reads the work of another worker that is free too,
 * and otherwise what has the longest way to the end of the plan. What another free worker would take first, and has made the
 * input of, is left to that one: a shard that moved to a worker that has one already would stay there for a whole node. One
 * worker alone takes nodes in the order of the plan.
 */
export class Schedule<Worker> {
  readonly #ranBy: Map<string, Worker>;
  /** By the worker that has made their first input, and may have it at hand; undefined where no single one has. */
  readonly #ready = new Map<Worker | undefined, ReadyNodes>();
  /** Node → how many of those before it are not done. */
  readonly #unmet = new Map<PlanNode, number>();
  readonly #readers = new Map<string, PlanNode[]>();
  readonly #heights: ReadonlyMap<string, number>;
  readonly #rules: WorkerRules<Worker>;
  readonly #places: ReadonlyMap<string, number>;
  readonly #order: Order;
  readonly #isAlone: boolean;

  constructor(
    nodes: readonly PlanNode[],
    { pending, running, ranBy, isAlone = false }: ScheduleState<Worker>,
    rules: WorkerRules<Worker> = alike,
  ) {
    this.#rules = rules;
    this.#isAlone = isAlone;
    this.#ranBy = new Map(ranBy);
    this.#heights = heights(nodes);
    this.#places = new Map(nodes.map(({ id }, place) => [id, place]));
    const place = ({ id }: PlanNode): number => this.#places.get(id) ?? 0;
    this.#order = isAlone
      ? (one, other) => place(one) - place(other)
      : (one, other) => this.height(other) - this.height(one) || place(one) - place(other);
    for (const node of nodes) {
      if (!pending.has(node.id) || running.has(node.id)) continue;
      const unmet = [...before(node)].filter((id) => pending.has(id));
      for (const id of unmet) {
        const readers = this.#readers.get(id);
        if (readers === undefined) this.#readers.set(id, [node]);
        else readers.push(node);
      }
      if (unmet.length === 0) this.#addReady(node);
      else this.#unmet.set(node, unmet.length);
    }
  }

  /** Nodes on the longest way from one to the end of the plan, itself included. */
  height({ id }: PlanNode): number {
    return this.#heights.get(id) ?? 0;
  }

  #isSame(one: Worker, other: Worker): boolean {
    const executor = this.#rules.executorOf(one);
    return one === other || (executor !== undefined && executor === this.#rules.executorOf(other));
  }

  /** The worker that has made the first input of a node, and may have it at hand. */
  #makerOf({ inputs }: PlanNode): Worker | undefined {
    const [main] = Object.values(inputs).flat();
    const maker = main === undefined ? undefined : this.#ranBy.get(main);
    return maker === undefined || this.#rules.executorOf(maker) !== undefined ? undefined : maker;
  }

  #addReady(node: PlanNode): void {
    const maker = this.#makerOf(node);
    const found = this.#ready.get(maker) ?? new ReadyNodes(this.#order);
    this.#ready.set(maker, found);
    found.add(node);
  }

  #canRun(worker: Worker, node: PlanNode): boolean {
    const { takes } = this.#rules;
    if (!takes(worker, node)) return false;
    const owner = node.affinity === undefined ? undefined : this.#ranBy.get(node.affinity);
    return owner === undefined || this.#isSame(owner, worker) || !takes(owner, node);
  }

  /** The best of the nodes that a worker could run and that are open. */
  #bestOf(
    worker: Worker,
    isBusy: (other: Worker) => boolean,
    isOpen: (node: PlanNode) => boolean = () => true,
  ): PlanNode | undefined {
    const isAnyAlike = this.#isAlone || this.#rules.executorOf(worker) !== undefined;
    /** 0 for nodes whose first input this worker has made, 2 where another one has that is free, 1 for all others. */
    const distance = (maker: Worker | undefined): number => {
      if (maker === undefined || isAnyAlike || (maker !== worker && isBusy(maker))) return 1;
      return maker === worker ? 0 : 2;
    };
    const found = [...this.#ready].flatMap(([maker, nodes]) => {
      const node = nodes.best((candidate) => this.#canRun(worker, candidate) && isOpen(candidate));
      return node === undefined ? [] : { node, distance: distance(maker) };
    });
    found.sort((a, b) => a.distance - b.distance || this.#order(a.node, b.node));
    return found[0]?.node;
  }

  /**
   * The next node for a worker, which is then no longer waiting; undefined where there is none.
   *
   * @param isBusy whether another worker is at work
   */
  next(worker: Worker, isBusy: (other: Worker) => boolean): PlanNode | undefined {
    /** What other free workers would take first. */
    const wishes = new Map<Worker, PlanNode | undefined>();
    const isLeft = (node: PlanNode): boolean => {
      const maker = this.#makerOf(node);
      if (maker === undefined || maker === worker || isBusy(maker)) return false;
      if (!wishes.has(maker)) wishes.set(maker, this.#bestOf(maker, isBusy));
      return wishes.get(maker) === node;
    };
    const chosen = this.#bestOf(worker, isBusy, (node) => !isLeft(node));
    if (chosen !== undefined) this.#ready.get(this.#makerOf(chosen))?.delete(chosen);
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
        this.#addReady(reader);
      }
    }
  }
}
