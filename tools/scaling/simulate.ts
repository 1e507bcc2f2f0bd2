import { Schedule } from "@mbs/pipeline";
import type { PlanNode } from "@mbs/pipeline";

/** What a node takes. */
export interface NodeCost {
  readonly seconds: number;
  /** Bytes of its output. */
  readonly bytes: number;
}

/** How workers reach each other's artifacts. */
export interface Network {
  /** Bytes a second, of each worker. */
  readonly bandwidth: number;
  /** Seconds for each node that is given to a worker: queue, look-ups, start. */
  readonly overhead: number;
}

export interface Simulated {
  /** From the first node to the last one. */
  readonly seconds: number;
  /** Of all nodes together, without transfers. */
  readonly work: number;
  /** Bytes that a worker read of what another one had made. */
  readonly moved: number;
  /** Share of the workers' time in which they run nodes. */
  readonly busy: number;
}

interface Event {
  readonly at: number;
  readonly node: PlanNode;
  readonly worker: number;
}

/** The earliest event, taken out. Few run at a time: as many as there are workers. */
function takeEarliest(events: Event[]): Event | undefined {
  let earliest = 0;
  for (const [index, { at }] of events.entries()) if (at < (events[earliest]?.at ?? Infinity)) earliest = index;
  return events.splice(earliest, 1)[0];
}

/**
 * Runs a plan on simulated workers, which take nodes by the same rule as real ones.
 *
 * What a worker reads of others it has to fetch first, once; what others read it has to publish first. Values within a block
 * stay on their worker, as in a real run, and cost nothing to move.
 */
export function simulate(
  nodes: readonly PlanNode[],
  cost: (node: PlanNode) => NodeCost,
  workers: number,
  { bandwidth, overhead }: Network,
): Simulated {
  const pending = new Set(nodes.map(({ id }) => id));
  const schedule = new Schedule<number>(nodes, { pending, running: new Set(), ranBy: new Map(), isAlone: workers === 1 });
  const costs = new Map(nodes.map((node) => [node.id, cost(node)]));
  /** Node → the workers that have its output. */
  const holders = new Map<string, Set<number>>();
  const busy = new Set<number>();
  const events: Event[] = [];
  const fetches = ({ inputs }: PlanNode, worker: number): number => {
    let bytes = 0;
    for (const id of Object.values(inputs).flat()) {
      const held = holders.get(id) ?? new Set();
      if (held.has(worker)) continue;
      bytes += costs.get(id)?.bytes ?? 0;
      held.add(worker);
    }
    return bytes;
  };
  let [now, work, moved, running] = [0, 0, 0, 0];
  const start = (worker: number): void => {
    const node = schedule.next(worker, (other) => busy.has(other));
    if (node === undefined) return;
    busy.add(worker);
    const { seconds, bytes } = costs.get(node.id) ?? { seconds: 0, bytes: 0 };
    const fetched = fetches(node, worker);
    const isAlone = workers === 1;
    const published = isAlone ? 0 : bytes;
    const took = seconds + overhead + (fetched + published) / bandwidth;
    moved += fetched;
    work += seconds;
    running += took;
    events.push({ at: now + took, node, worker });
  };
  for (;;) {
    for (let worker = 0; worker < workers; worker++) if (!busy.has(worker)) start(worker);
    const event = takeEarliest(events);
    if (event === undefined) break;
    now = event.at;
    busy.delete(event.worker);
    holders.set(event.node.id, new Set([event.worker]));
    pending.delete(event.node.id);
    schedule.done(event.node.id, event.worker);
  }
  if (pending.size > 0) throw new Error(`${pending.size} nodes never ran`);
  return { seconds: now, work, moved, busy: running / (now * workers) };
}

/** Seconds of the longest chain of nodes that wait for each other: no number of workers is faster. */
export function criticalPath(nodes: readonly PlanNode[], cost: (node: PlanNode) => NodeCost): number {
  const ends = new Map<string, number>();
  for (const node of nodes) {
    const before = [...Object.values(node.inputs).flat(), ...node.after].map((id) => ends.get(id) ?? 0);
    ends.set(node.id, Math.max(0, ...before) + cost(node).seconds);
  }
  return [...ends.values()].reduce((most, end) => Math.max(most, end), 0);
}
