import type { PlanNode } from "@mbs/pipeline";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { criticalPath, simulate } from "./simulate.ts";

const node = (id: string, reads: readonly string[] = [], follows?: string): PlanNode => ({
  id,
  stage: id,
  section: [],
  options: {},
  inputs: { source: reads },
  after: [],
  ...(follows !== undefined && { follows }),
});

const free = { bandwidth: Infinity, overhead: 0 };
const second = () => ({ seconds: 1, bytes: 100 });

test("independent nodes are shared out, a chain is not", () => {
  const apart = ["a", "b", "c", "d"].map((id) => node(id));
  assert.equal(
    [1, 2, 3, 4, 8].map((workers) => simulate(apart, second, workers, free).seconds),
    [4, 2, 2, 1, 1],
  );
  const chain = [node("a"), node("b", ["a"]), node("c", ["b"])];
  assert.is(simulate(chain, second, 4, free).seconds, 3);
  assert.is(criticalPath(chain, second), 3);
});

test("a node that follows another waits for its worker, and reads nothing from afar", () => {
  const nodes = [node("a"), node("b"), node("a2", ["a"], "a"), node("b2", ["b"], "b"), node("sum", ["a2", "b2"])];
  const { seconds, moved, work, busy } = simulate(nodes, second, 2, { bandwidth: 100, overhead: 0.5 });
  // each node publishes for a second; the sum fetches one of its two inputs
  assert.is(seconds, 2.5 + 2.5 + 3.5);
  assert.is(moved, 100);
  assert.is(work, 5);
  assert.is(busy, (4 * 2.5 + 3.5) / 17);
});

test.run();
