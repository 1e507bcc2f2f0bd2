/**
 * Kills runs, workers and servers at random moments, and counts what docs/reliability.md states.
 *
 * usage: node --conditions=mbs-source --import tsx tools/chaos/run.ts --engine local|queue [--store s3|folder] [--kills N] [--seed S] [--json] [--log FILE]
 *        node --conditions=mbs-source --import tsx tools/chaos/run.ts --hosts all|NAME,… [--json] [--log FILE]
 *   --store  of the queue (default s3)
 *   --kills  how many (default 20); one seed with many, or several seeds with few, so that little is lost when this is stopped
 *   --seed   of what is killed, and when as fractions of a run's duration (default 0)
 *   --json   print the counts as one line of JSON
 *   --log    file that takes what workers and runs say
 *   --hosts  in place of kills: scenarios of hosts.ts with two hosts in network namespaces, Redis and S3 with TLS, and signed jobs;
 *            needs root, `ip netns`, openssl and a redis-server with TLS, and ends with a message and 0 where it cannot have them
 *
 * Needs a build (`npm run build`), Linux, and for the queue redis-server. Exits with 1 where a run ended with other bytes or not
 * at all, or where a process outlived what had started it; what such a run has left is kept.
 */
import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { hasTls } from "../../packages/pipeline/test/fixtures/redis-server.ts";
import { causeChaos } from "./chaos.ts";
import { whyNoNetwork } from "./hosts-network.ts";
import { Hosts, scenarios } from "./hosts.ts";
import type { ScenarioName } from "./hosts.ts";

const { values } = parseArgs({
  options: {
    engine: { type: "string" },
    store: { type: "string", default: "s3" },
    kills: { type: "string", default: "20" },
    seed: { type: "string", default: "0" },
    json: { type: "boolean", default: false },
    log: { type: "string" },
    hosts: { type: "string" },
  },
});
const log = values.log === undefined ? undefined : createWriteStream(values.log, { flags: "a" });

/** Plays scenarios of hosts. @returns how many went wrong */
async function playHosts(names: readonly string[]): Promise<number> {
  const unknown = names.find((name) => !Object.hasOwn(scenarios, name));
  if (unknown !== undefined) {
    console.error(`no scenario is called ${unknown}; there are ${Object.keys(scenarios).join(", ")}`);
    process.exit(2);
  }
  const missing = hasTls ? whyNoNetwork() : "no redis-server with TLS, or no openssl, is installed";
  if (missing !== undefined) {
    console.error(`skipped: ${missing}`);
    return 0;
  }
  const place = await mkdtemp(join(tmpdir(), "mbs-hosts-"));
  const hosts = await Hosts.open(place, (line) => void log?.write(`${line}\n`));
  let wrong = 0;
  try {
    for (const name of names) {
      const outcome = await hosts.play(name as ScenarioName);
      const { orphans, what, nodes, repeated, restarts, seconds, fault } = outcome;
      if (fault !== undefined || orphans > 0) wrong += 1;
      const bytes = fault === undefined ? "the same bytes" : `WRONG: ${fault}`;
      if (values.json) console.log(JSON.stringify(outcome));
      else
        console.log(
          `${name}: ${what}: ${bytes}, ${repeated} of ${nodes} nodes repeated, ${restarts} restarts, ${orphans} orphans, ${seconds} s`,
        );
    }
  } finally {
    await hosts.close();
  }
  if (wrong === 0) await rm(place, { recursive: true });
  else console.error(`what went wrong is in ${place}`);
  return wrong;
}

if (values.hosts !== undefined) {
  const names = values.hosts === "all" ? Object.keys(scenarios) : values.hosts.split(",");
  process.exit((await playHosts(names)) === 0 ? 0 : 1);
}
const { engine, store } = values;
const [kills, seed] = [Number(values.kills), Number(values.seed)];
const isKnown = (engine === "local" || engine === "queue") && (store === "s3" || store === "folder");
if (!isKnown || !Number.isSafeInteger(kills) || !Number.isSafeInteger(seed)) {
  console.error(
    "usage: tools/chaos/run.ts --engine local|queue [--store s3|folder] [--kills N] [--seed S] [--json] [--log FILE]\n" +
      "       tools/chaos/run.ts --hosts all|NAME,… [--json] [--log FILE]",
  );
  process.exit(2);
}
const folder = await mkdtemp(join(tmpdir(), "mbs-chaos-"));
const began = performance.now();
const tally = await causeChaos({
  engine,
  store,
  kills,
  seed,
  folder,
  say: (line) => {
    console.error(line);
    log?.write(`${line}\n`);
  },
  log: (line) => void log?.write(`${line}\n`),
});
const bad = tally.wrong + tally.lost + tally.orphans;
if (values.json)
  console.log(JSON.stringify({ engine, store, seed, ...tally, seconds: Math.round((performance.now() - began) / 1000) }));
else console.log(tally);
if (bad === 0) await rm(folder, { recursive: true });
else console.error(`what went wrong is in ${folder}`);
process.exit(bad === 0 ? 0 : 1);
