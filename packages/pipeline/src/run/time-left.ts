import type { TimeLeft } from "@mbs/contracts";
import { spanOf } from "../estimate/node-costs.ts";
import type { PlanNode } from "../plan/nodes/plan-node.ts";
import type { NodeStatus } from "./node-status.ts";

/** What a run is expected to take. */
export interface ExpectedTime {
  /** Node → its seconds; undefined of one that nothing is known of. */
  readonly nodes: ReadonlyMap<string, number | undefined>;
  /** Seconds of what the caller does when the run is done. */
  readonly following: number;
}

/** Nodes that do the same on other nodes, shards or sites of the same name: "capture.h.#.mlp-up.shard-#". */
const kindOf = (id: string): string => id.replaceAll(/\d+/g, "#");

/** Stages most of whose time is the model's: what one of them takes says what another will. */
const modelStages: ReadonlySet<string> = new Set(["capture", "propagate", "evaluate"]);

/** What a node has in common with others, the closest first. */
const groupsOf = ({ id, stage }: Pick<PlanNode, "id" | "stage">): readonly string[] => [
  `kind ${kindOf(id)}`,
  `stage ${stage}`,
  ...(modelStages.has(stage) ? ["model"] : []),
  "all",
];

/** Seconds that nodes of a group have taken, and those that were expected of them. */
interface Pace {
  taken: number;
  expected: number;
  count: number;
}

function pacesOf(
  nodes: readonly PlanNode[],
  status: ReadonlyMap<string, NodeStatus>,
  expected: ExpectedTime["nodes"],
): ReadonlyMap<string, Pace> {
  const paces = new Map<string, Pace>();
  for (const node of nodes) {
    const { state, seconds } = status.get(node.id) ?? {};
    if (state !== "done" || seconds === undefined) continue;
    for (const group of groupsOf(node)) {
      const pace = paces.get(group) ?? { taken: 0, expected: 0, count: 0 };
      pace.taken += seconds;
      pace.expected += expected.get(node.id) ?? 0;
      pace.count += 1;
      paces.set(group, pace);
    }
  }
  return paces;
}

/** How many times as long as was expected the closest nodes took that are done. */
const ratioOf = (groups: readonly string[], paces: ReadonlyMap<string, Pace>): number => {
  const pace = groups.map((group) => paces.get(group)).find((found) => found !== undefined && found.expected > 0);
  return pace === undefined ? 1 : pace.taken / pace.expected;
};

/** Seconds of a node in all, as its expectation and the nodes that are done tell. */
function wholeOf(node: PlanNode, expected: ExpectedTime["nodes"], paces: ReadonlyMap<string, Pace>): number | undefined {
  const groups = groupsOf(node);
  const alike = paces.get(groups[0] ?? "");
  const own = expected.get(node.id);
  if (own !== undefined && own > 0) return own * ratioOf(groups, paces);
  return alike === undefined ? own : alike.taken / alike.count;
}

/** Share of a node's work from which on its own progress alone says how long it takes: the beginning has what comes once. */
const enoughProgress = 0.2;

/** Seconds that a node at work needs still. @param elapsed seconds since it began */
function leftOfRunning(whole: number | undefined, share: number, elapsed: number): number | undefined {
  if (share === 0) return whole && Math.max(0, whole - elapsed);
  const byProgress = elapsed / share;
  const weight = whole === undefined ? 1 : Math.min(1, share / enoughProgress);
  return (1 - share) * (weight * byProgress + (1 - weight) * (whole ?? 0));
}

/** The seconds until a run ends, and how well they are known. */
export interface EstimatedLeft extends TimeLeft {
  /** Share of what this process has to do that is done: of the expected seconds. */
  readonly done: number;
}

/**
 * Seconds until a run ends, and what follows it: those that were expected of each node, corrected by what nodes of its kind, of its
 * stage or of all took that are done, and by the progress of those at work.
 *
 * @param now in milliseconds since 1970
 */
export function estimateLeft(
  nodes: readonly PlanNode[],
  status: ReadonlyMap<string, NodeStatus>,
  { nodes: expected, following }: ExpectedTime,
  workers: number,
  now: number,
): EstimatedLeft {
  const paces = pacesOf(nodes, status, expected);
  let isLeast = false;
  let [done, all] = [paces.get("all")?.expected ?? 0, paces.get("all")?.expected ?? 0];
  const leftOf = (node: PlanNode): number => {
    const { state, began, share = 0 } = status.get(node.id) ?? { state: "waiting" };
    if (state === "done") return 0;
    const elapsed = began === undefined ? 0 : (now - began) / 1000;
    const left = leftOfRunning(wholeOf(node, expected, paces), share, elapsed);
    if (left === undefined) isLeast = true;
    all += expected.get(node.id) ?? 0;
    done += share * (expected.get(node.id) ?? 0);
    return left ?? 0;
  };
  const seconds = spanOf(nodes, leftOf, workers) + following * ratioOf(["all"], paces);
  return { seconds, isLeast, done: all === 0 ? 0 : done / all };
}

/** Share of a run that has to be done before its time left is shown: before that it says more of what comes first than of the rest. */
const enoughDone = 0.03;

/** What a change of the estimate takes to show, as a part of the time left; and at least so many seconds. */
const lag = 0.2;
const leastLag = 5;

/** One figure of a run's time left, which comes when it is known well enough and then follows the estimates without jumps. */
export class SteadyLeft {
  #end: number | undefined;
  #updated = 0;

  /** @param now in milliseconds @returns undefined as long as too little is known */
  update({ seconds, isLeast, done }: EstimatedLeft, now: number): TimeLeft | undefined {
    const end = now / 1000 + seconds;
    if (this.#end === undefined) {
      if (done < enoughDone) return undefined;
      this.#end = end;
    } else {
      const passed = (now - this.#updated) / 1000;
      const delay = Math.max(leastLag, lag * (this.#end - now / 1000));
      this.#end += (end - this.#end) * (1 - Math.exp(-passed / delay));
    }
    this.#updated = now;
    return { seconds: Math.max(0, this.#end - now / 1000), isLeast };
  }
}
