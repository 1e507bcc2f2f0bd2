import { test } from "uvu";
import * as assert from "uvu/assert";
import { freedBy } from "../../src/export/argo-workflow.ts";
import type { OrderedNode } from "../../src/export/argo-workflow.ts";

const node = (id: string, reads: readonly string[], others: Partial<OrderedNode> = {}): OrderedNode => ({
  id,
  reads,
  before: reads,
  isTemporary: true,
  ...others,
});

test("an artifact is removed by the first node that waits for all of its readers", () => {
  const freed = freedBy([
    node("states", []),
    node("a", ["states"]),
    node("b", ["states"]),
    node("behind-a", ["a"]),
    node("sum", ["behind-a", "b"]),
    node("end", ["sum"], { isTemporary: false }),
    node("aside", ["sum"]),
    node("last", [], { before: ["end"] }),
  ]);
  assert.equal(
    [...freed],
    [
      ["sum", ["states", "a"]],
      ["end", ["b", "behind-a"]],
    ],
  );
});

test("what is kept, or has a reader that nothing waits for, is removed by none", () => {
  const freed = freedBy([
    node("kept", [], { isTemporary: false }),
    node("read", ["kept"]),
    node("aside", ["read"]),
    node("next", ["read"]),
    node("last", ["next"]),
  ]);
  assert.equal([...freed], []);
});

test.run();
