import { totalmem } from "node:os";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { UsageError } from "../src/errors.ts";
import { availableMemory, defaultKept, memoryLimit, requireAvailable, splitKept, weightsBeside } from "../src/memory.ts";
import { reading } from "./reading.ts";

const mebibyte = 2 ** 20;

test("version 2: the least limit of the group and those above it, also the one from which it is slowed down", () => {
  const files = {
    "/proc/self/cgroup": "0::/user/job\n",
    "/sys/fs/cgroup/user/job/memory.max": "max\n",
    "/sys/fs/cgroup/user/job/memory.high": "3000000000\n",
    "/sys/fs/cgroup/user/memory.max": "4000000000\n",
  };
  assert.is(memoryLimit(reading(files)), 3e9);
  assert.is(memoryLimit(reading({ ...files, "/sys/fs/cgroup/memory.max": "2000000000\n" })), 2e9);
});

test("version 1 has its limit in the folder of its controller", () => {
  const files = {
    "/proc/self/cgroup": "5:cpu:/docker/1\n4:memory:/docker/1\n",
    "/sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes": "500000000\n",
    "/sys/fs/cgroup/cpu/docker/1/memory.limit_in_bytes": "1\n",
  };
  assert.is(memoryLimit(reading(files)), 5e8);
});

test("no limit where there is none, or none that can be read", () => {
  assert.is(memoryLimit(reading({})), undefined);
  assert.is(memoryLimit(reading({ "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "max\n" })), undefined);
  assert.is(memoryLimit(reading({ "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "nonsense" })), undefined);
});

test("of this machine: some, at most what it has", () => {
  assert.ok(availableMemory() > 0 && availableMemory() <= totalmem());
});

test("from 8 GiB on 1 GiB, 256 MiB and 64 MiB are kept, of less memory a sixth, in the same proportions", () => {
  const large = { pool: 1024 * mebibyte, artifacts: 256 * mebibyte, weights: 64 * mebibyte };
  assert.equal(splitKept(defaultKept(8 * 1024 * mebibyte)), large);
  assert.equal(splitKept(defaultKept(64 * 1024 * mebibyte)), large);
  assert.equal(splitKept(defaultKept(6 * 21 * mebibyte)), { pool: 16 * mebibyte, artifacts: 4 * mebibyte, weights: mebibyte });
  assert.equal(splitKept(0), { pool: 0, artifacts: 0, weights: 0 });
  assert.is(weightsBeside(large.pool), large.weights);
});

test("more than there is cannot be asked for", () => {
  requireAvailable(1000, "--memory", 1000);
  assert.throws(
    () => requireAvailable(2e9, "--memory", 1e9),
    (error: unknown) => error instanceof UsageError && error.message.startsWith("--memory 2.00 GB is more than the 1.00 GB"),
  );
});

test.run();
