import { UsageError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isQueueName, queuesOf, requireName } from "../src/run/queue/queue-names.ts";

test("a label that cannot be a part of a queue's name is refused with what can", () => {
  for (const name of ["large", "gpu-2.a", "9"]) requireName(name, "a label");
  for (const name of ["", "a b", "a:b", "-a", "ä", "a".repeat(101)]) {
    assert.throws(
      () => requireName(name, "a label"),
      (error: unknown) =>
        error instanceof UsageError && error.message.endsWith('is no name of a label: letters, digits, "." and "-" are'),
    );
  }
});

test("a worker looks into its own queue first, then into those of its labels and classes", () => {
  const queues = queuesOf({ id: "w1", processors: "linux", labels: ["large"] }, "mbs-1");
  assert.equal(queues, [
    "worker.w1",
    "label.large.linux.mbs-1",
    "class.linux.mbs-1",
    "label.large.mixed.mbs-1",
    "class.mixed.mbs-1",
  ]);
  for (const name of queues) assert.ok(isQueueName(name), name);
});

test.run();
