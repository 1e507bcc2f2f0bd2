/**
 * Measures what the queue adds to a node: a recipe of many nodes that do nothing, on one worker at a queue on this machine and in
 * one process without a queue. Needs redis-server.
 *
 * usage: node --conditions=mbs-source --import tsx tools/scaling/queue-overhead.ts [LAYERS]
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeTinyModel } from "@mbs/models/testing";
import { recipeFrom } from "../../packages/pipeline/src/recipe/parse-recipe.ts";
import { run } from "../../packages/pipeline/src/run/run.ts";
import type { RunOptions } from "../../packages/pipeline/src/run/run-options.ts";
import { fakeStages } from "../../packages/pipeline/test/fixtures/fake-stages.ts";
import type { FakeWorkerOptions } from "../../packages/pipeline/test/fixtures/fake-queue-worker.ts";
import { RedisServer } from "../../packages/pipeline/test/fixtures/redis-server.ts";

/** Nodes in which processes start. */
const first = 5;

const layers = Number(process.argv[2] ?? 12);
const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../packages/pipeline/test/fixtures/${name}`, import.meta.url));
const program = (name: string, ...words: string[]): string[] => [process.execPath, ...process.execArgv, fixture(name), ...words];
const workers = { command: program("fake-worker.ts"), count: 1 };

const root = await mkdtemp(join(tmpdir(), "mbs-overhead-"));
await writeTinyModel(join(root, "model"), { hiddenSize: 8, heads: 2, blocks: layers });
await mkdir(join(root, "corpus"));
await writeFile(join(root, "corpus", "en.txt"), "One text.\n\nAnother text.\n");
await mkdir(join(root, "redis"));

/** Milliseconds for a node, by the clock: the median, and the mean. */
async function measure(name: string, options: Partial<RunOptions>): Promise<void> {
  const recipe = recipeFrom({
    model: join(root, "model"),
    corpus: join(root, "corpus"),
    compress: { solver: "wanda", sparsity: 0.5 },
    output: join(root, name),
  });
  const ends: number[] = [];
  await run(recipe, {
    stages: fakeStages(),
    threads: 1,
    workers,
    signal: new AbortController().signal,
    ...options,
    onNode: () => ends.push(performance.now()),
  });
  const taken = ends.slice(first, -1).map((end, index) => end - (ends[index + first - 1] ?? end));
  const median = taken.toSorted((one, other) => one - other)[taken.length >> 1] ?? 0;
  const mean = taken.reduce((sum, one) => sum + one, 0) / taken.length;
  console.log(`${name}: ${median.toFixed(1)} ms a node (mean ${mean.toFixed(1)}, ${taken.length} nodes)`);
}

const redis = await RedisServer.start(join(root, "redis"));
const given: FakeWorkerOptions = {
  url: redis.url,
  version: "overhead",
  store: join(root, "store"),
  modelRoot: root,
  command: workers.command,
};
const [command = "", ...words] = program("fake-queue-worker.ts", JSON.stringify(given));
const worker = spawn(command, words, { stdio: ["ignore", "ignore", "inherit"] });
try {
  await measure("local", {});
  await measure("queue", { queue: { url: redis.url, version: given.version, store: given.store } });
} finally {
  worker.kill("SIGTERM");
  await once(worker, "exit");
  await redis.kill();
  await rm(root, { recursive: true, force: true });
}
