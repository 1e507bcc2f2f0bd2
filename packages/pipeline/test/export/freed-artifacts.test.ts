import { test } from "uvu";
import * as assert from "uvu/assert";
import { freedBy } from "../../src/export/freed-artifacts.ts";
import type { OrderedStep } from "../../src/export/freed-artifacts.ts";

const step = (id: string, reads: readonly string[], others: Partial<OrderedStep> = {}): OrderedStep => ({
  id,
  reads,
  before: reads,
  isTemporary: true,
  ...others,
});

test("an artifact is removed by the first step that waits for all of its readers", () => {
  const freed = freedBy([
    step("states", []),
    step("a", ["states"]),
    step("b", ["states"]),
    step("behind-a", ["a"]),
    step("sum", ["behind-a", "b"]),
    step("end", ["sum"], { isTemporary: false }),
    step("aside", ["sum"]),
    step("last", [], { before: ["end"] }),
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
    step("kept", [], { isTemporary: false }),
    step("read", ["kept"]),
    step("aside", ["read"]),
    step("next", ["read"]),
    step("last", ["next"]),
  ]);
  assert.equal([...freed], []);
});

test.run();
