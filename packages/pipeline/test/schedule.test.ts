import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { PlanNode } from "../src/plan/nodes/plan-node.ts";
import { Schedule } from "../src/run/schedule.ts";

const test = suite("schedule");

const node = (id: string, source: readonly string[], affinity?: string): PlanNode => ({
  id,
  stage: "stage",
  section: [],
  options: {},
  inputs: { source },
  after: [],
  ...(affinity !== undefined && { affinity }),
});

const nothing: ReadonlySet<string> = new Set();

/** Gives nodes to all workers that are free, as the engine does. */
function assign(schedule: Schedule<string>, workers: readonly string[], busy: Set<string>): Record<string, string> {
  const given: Record<string, string> = {};
  for (const worker of workers) {
    if (busy.has(worker)) continue;
    const chosen = schedule.next(worker, (other) => busy.has(other));
    if (chosen === undefined) continue;
    busy.add(worker);
    given[worker] = chosen.id;
  }
  return given;
}

const states = [node("states-1", []), node("states-2", [])];

test("what a free worker has made the input of is left to it, in whatever order workers ask", () => {
  const nodes = [...states, node("capture-1", ["states-1"]), node("capture-2", ["states-2"])];
  const schedule = new Schedule<string>(nodes, {
    pending: new Set(nodes.map(({ id }) => id)),
    running: nothing,
    ranBy: new Map(),
  });
  const busy = new Set<string>();
  assert.equal(assign(schedule, ["a", "b"], busy), { a: "states-1", b: "states-2" });
  schedule.done("states-1", "a");
  busy.delete("a");
  assert.equal(assign(schedule, ["a", "b"], busy), { a: "capture-1" });
  schedule.done("capture-1", "a");
  schedule.done("states-2", "b");
  busy.clear();
  assert.equal(assign(schedule, ["a", "b"], busy), { b: "capture-2" });
});

test("what a worker cannot begin at once goes to another, so that none waits", () => {
  const nodes = [...states, node("capture-1", ["states-1"]), node("capture-2", ["states-1"]), node("add", ["capture-1"])];
  const schedule = new Schedule<string>(nodes, {
    pending: new Set(["capture-1", "capture-2", "add"]),
    running: nothing,
    ranBy: new Map([["states-1", "b"]]),
  });
  assert.equal(assign(schedule, ["a", "b"], new Set()), { a: "capture-2", b: "capture-1" });
});

test("one worker alone takes nodes in the order of the plan, whatever it has at hand", () => {
  const nodes = [node("a", []), node("b", []), node("c", []), node("d", ["c"]), node("e", ["b"])];
  const schedule = new Schedule<string>(nodes, {
    pending: new Set(["d", "e", "a"]),
    running: nothing,
    ranBy: new Map([["b", "only"]]),
    isAlone: true,
  });
  for (const id of ["a", "d", "e"]) {
    assert.equal(assign(schedule, ["only"], new Set()), { only: id });
    schedule.done(id, "only");
  }
});

test("a node with an affinity waits for the worker that ran that one", () => {
  const nodes = [...states, node("capture-1", ["states-1"], "states-2")];
  const schedule = new Schedule<string>(nodes, {
    pending: new Set(["capture-1"]),
    running: nothing,
    ranBy: new Map([
      ["states-1", "b"],
      ["states-2", "a"],
    ]),
  });
  assert.equal(assign(schedule, ["b"], new Set(["a"])), {});
  assert.equal(assign(schedule, ["b", "a"], new Set()), { a: "capture-1" });
});

test.run();
