import { at } from "@mbs/contracts";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { PlanNode } from "../src/plan/nodes/plan-node.ts";
import { NeededArtifacts } from "../src/run/needed-artifacts.ts";

const test = suite("needed artifacts");

const node = (id: string, reads: readonly string[]): PlanNode => ({
  id,
  stage: "stage",
  section: [],
  options: {},
  inputs: { source: reads },
  after: [],
});

interface Kinds {
  readonly intermediate: ReadonlySet<string>;
  readonly passing: ReadonlySet<string>;
}

/** The same from its definition, by a look at the whole plan. */
function plainlyNeeded(
  nodes: readonly PlanNode[],
  { intermediate, passing }: Kinds,
  pending: ReadonlySet<string>,
  addresses: ReadonlyMap<string, string>,
): ReadonlySet<string> {
  const needed = new Set<string>();
  /** Passing nodes that a killed run makes again, from the artifacts that they read. */
  const remade = new Set<string>();
  for (const { id } of nodes.toReversed()) {
    const readers = nodes.filter(({ inputs }) => (inputs["source"] ?? []).includes(id));
    const isRead = readers.some((reader) => pending.has(reader.id));
    const isForOthers = readers.some((reader) => remade.has(reader.id));
    if (passing.has(id) && (isRead || isForOthers)) remade.add(id);
    const address = addresses.get(id);
    if (address === undefined || !intermediate.has(id)) continue;
    if (isRead || (isForOthers && !passing.has(id))) needed.add(address);
  }
  return needed;
}

/** Whole numbers below a limit, the same at each run. */
function numbers(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return (state >> 8) % limit;
  };
}

test("in any plan and order it frees what its definition says, and all of it", () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const below = numbers(seed);
    const nodes = Array.from({ length: 30 }, (_, index) =>
      node(
        String(index),
        index === 0 ? [] : Array.from({ length: 1 + below(3) }, () => String(Math.max(0, index - 1 - below(6)))),
      ),
    );
    const some = (share: number): Set<string> => new Set(nodes.flatMap(({ id }) => (below(10) < share ? id : [])));
    const intermediate = some(8);
    const kinds = { intermediate, passing: new Set([...some(5)].filter((id) => intermediate.has(id))) };
    // few addresses: nodes of a kind may make the same
    const made = new Map(nodes.map(({ id }) => [id, `${intermediate.has(id) ? "intermediate" : "kept"}-${below(20)}`]));
    const addresses = new Map<string, string>();
    const pending = new Set(nodes.map(({ id }) => id));
    const freed = new Set<string>();
    const needs = new NeededArtifacts(nodes, kinds);
    const note = (released: readonly string[]): void => {
      for (const address of released) freed.add(address);
      const needed = plainlyNeeded(nodes, kinds, pending, addresses);
      const known = new Set([...addresses].flatMap(([id, address]) => (intermediate.has(id) ? address : [])));
      assert.equal([...freed].toSorted(), [...known].filter((address) => !needed.has(address)).toSorted(), `seed ${seed}`);
    };
    note(needs.begin(pending, addresses));
    while (pending.size > 0) {
      const ready = nodes.filter(
        ({ id, inputs }) => pending.has(id) && (inputs["source"] ?? []).every((input) => !pending.has(input)),
      );
      const { id } = at(ready, below(ready.length));
      const address = made.get(id) ?? "";
      addresses.set(id, address);
      pending.delete(id);
      // made again, perhaps needed again
      freed.delete(address);
      note(needs.done(id, address));
      if (below(8) > 0) continue;
      // outputs are lost, as with a worker
      for (const lost of some(2)) if (addresses.has(lost)) pending.add(lost);
      freed.clear();
      note(needs.begin(pending, addresses));
    }
  }
});

/** How often a run of a plan of this length looks at a node. */
function looksFor(length: number): number {
  let looks = 0;
  const has = (): boolean => {
    looks += 1;
    return true;
  };
  const nodes = Array.from({ length }, (_, index) => node(String(index), index === 0 ? [] : ["0", String(index - 1)]));
  const needs = new NeededArtifacts(nodes, { intermediate: { has }, passing: new Set() });
  needs.begin(new Set(nodes.map(({ id }) => id)), new Map());
  for (const { id } of nodes) needs.done(id, `address-${id}`);
  return looks;
}

test("a node that is done costs a look at what it reads, in a plan of any length", () => {
  assert.ok(looksFor(1000) <= 3 * 1000);
  assert.is(looksFor(2000) - 2 * looksFor(1000), looksFor(200) - 2 * looksFor(100));
});

test.run();
