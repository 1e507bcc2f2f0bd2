import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { causeChaos } from "./chaos.ts";
import type { ChaosOptions } from "./chaos.ts";

const chaos = suite("chaos");
const isLinux = process.platform === "linux";
/** Milliseconds: about what a run takes on two cores. */
const duration = 3000;
/** Debian: apt-get install redis-server */
const hasRedis = spawnSync("redis-server", ["--version"], { stdio: "ignore" }).status === 0;
const test = (name: string, isPossible: boolean, run: () => Promise<void>): void =>
  isPossible ? chaos(name, run) : chaos.skip(name, run);

async function survives(options: Pick<ChaosOptions, "engine" | "kills" | "seed">): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "mbs-chaos-test-"));
  const said: string[] = [];
  const note = (line: string): void => void said.push(line);
  try {
    const { kills, wrong, lost, orphans } = await causeChaos({ ...options, duration, folder, say: note, log: note });
    const found = { kills, wrong, lost, orphans };
    assert.equal(found, { kills: options.kills, wrong: 0, lost: 0, orphans: 0 }, said.slice(-60).join("\n"));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

test("a run whose process or workers are killed ends with the same bytes", isLinux, () =>
  survives({ engine: "local", kills: 2, seed: 1 }),
);

test("a run at a queue, too, where Redis and the store are killed as well", isLinux && hasRedis, () =>
  survives({ engine: "queue", kills: 3, seed: 2 }),
);

chaos.run();
