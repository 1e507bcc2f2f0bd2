import { availableParallelism } from "node:os";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { availableProcessors, processorLimit } from "../src/processors.ts";
import { reading } from "./reading.ts";

test("version 2: the least limit of the group and those above it", () => {
  const files = {
    "/proc/self/cgroup": "0::/user/job\n",
    "/sys/fs/cgroup/user/job/cpu.max": "400000 100000\n",
    "/sys/fs/cgroup/user/cpu.max": "150000 100000\n",
    "/sys/fs/cgroup/cpu.max": "max 100000\n",
  };
  assert.is(processorLimit(reading(files)), 1.5);
});

test("version 2 in a container, where only the root is visible", () => {
  assert.is(processorLimit(reading({ "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "200000 100000\n" })), 2);
});

test("version 1 has its limits in the folder of its controllers", () => {
  const folder = "/sys/fs/cgroup/cpu,cpuacct/docker/1";
  const files = {
    "/proc/self/cgroup": "4:memory:/docker/1\n3:cpu,cpuacct:/docker/1\n",
    [`${folder}/cpu.cfs_quota_us`]: "300000\n",
    [`${folder}/cpu.cfs_period_us`]: "100000\n",
  };
  assert.is(processorLimit(reading(files)), 3);
  assert.is(processorLimit(reading({ ...files, [`${folder}/cpu.cfs_quota_us`]: "-1\n" })), undefined);
});

test("no limit where there is none, or none that can be read", () => {
  assert.is(processorLimit(reading({})), undefined);
  assert.is(processorLimit(reading({ "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "max 100000\n" })), undefined);
  assert.is(processorLimit(reading({ "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "nonsense" })), undefined);
});

test("of this machine: at least one, at most what Node counts", () => {
  assert.ok(availableProcessors() >= 1 && availableProcessors() <= availableParallelism());
});

test.run();
