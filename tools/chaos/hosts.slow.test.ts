import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { hasTls } from "../../packages/pipeline/test/fixtures/redis-server.ts";
import { whyNoNetwork } from "./hosts-network.ts";
import { Hosts } from "./hosts.ts";
import type { ScenarioName } from "./hosts.ts";

const hosts = suite("two hosts");
const missing = hasTls ? whyNoNetwork() : "no redis-server with TLS, or no openssl, is installed";
if (missing !== undefined) console.log(`two hosts: ${missing}`);

/** Those that ended runs before they were repaired, or in which two workers have one node. */
const names: readonly ScenarioName[] = ["worker-partition", "full-disk", "store-lost", "frozen-worker", "clock-ahead"];

async function survive(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "mbs-hosts-test-"));
  const lines: string[] = [];
  const all = await Hosts.open(folder, (line) => lines.push(line));
  try {
    for (const name of names) {
      const { fault, orphans } = await all.play(name);
      assert.equal({ fault, orphans }, { fault: undefined, orphans: 0 }, `${name}:\n${lines.slice(-60).join("\n")}`);
    }
  } finally {
    await all.close();
    await rm(folder, { recursive: true, force: true });
  }
}

const title = "with Redis and S3 behind TLS, runs end with the same bytes whatever befalls one of them";
if (missing === undefined) hosts(title, survive);
else hosts.skip(title, survive);

hosts.run();
