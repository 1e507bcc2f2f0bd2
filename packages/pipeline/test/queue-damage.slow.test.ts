import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { InterruptedError } from "@mbs/contracts";
import * as assert from "uvu/assert";
import type { NodeReport } from "../src/run/engine.ts";
import { runFolder } from "../src/run/run-folder.ts";
import { clusterSuite, expectedOf, results, withCluster, workers } from "./fixtures/queue-cluster.ts";
import { failure, go } from "./fixtures/run-fakes.ts";
import type { Workspace } from "./fixtures/workspace.ts";

const { test, run } = clusterSuite("damage in a store");

/** Flips a bit of a file at once. @param as where the damaged bytes go; without it, all names of the file are damaged */
function damage(path: string, as?: string): void {
  const bytes = readFileSync(path);
  const middle = bytes.length >> 1;
  bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
  writeFileSync(as === undefined ? path : `${as}.tmp`, bytes);
  if (as !== undefined) renameSync(`${as}.tmp`, as);
}

/** Paths of an artifact. In the store it has the same file as with the worker that has made or read it. */
interface Places {
  readonly store: string;
  readonly cache: string;
  readonly run: string;
}

const placesOf = (root: string, address: string): Places => ({
  store: join(root, "store", `${address}.arrow`),
  cache: join(runFolder(join(root, "cache")).artifacts, `${address}.arrow`),
  run: join(runFolder(join(root, "out")).artifacts, `${address}.arrow`),
});

interface Damaged {
  /** Of the run. */
  readonly warnings: string;
  /** By the worker. */
  readonly said: string;
  /** Artifacts. */
  readonly count: number;
}

/**
 * Runs a recipe with one worker, which has a cache, damages artifacts, and compares the results with those of one process.
 *
 * @param nodes do something to the output of these when they are done, once to each, where it is in the store
 */
async function runWithDamage(workspace: Workspace, nodes: RegExp, harm: (places: Places) => void): Promise<Damaged> {
  const { root, recipe } = workspace;
  const expected = await expectedOf(workspace);
  const warnings: string[] = [];
  const harmed = new Set<string>();
  let said = "";
  await withCluster(root, async (cluster) => {
    await mkdir(join(root, "cache"));
    cluster.add({ cache: join(root, "cache") });
    await go(recipe({ shards: 2 }), {
      workers,
      queue: cluster.choice(),
      warn: (line) => warnings.push(line),
      onNode({ id, address }: NodeReport) {
        const places = placesOf(root, address);
        if (!nodes.test(id) || harmed.has(address) || !existsSync(places.store)) return;
        harmed.add(address);
        harm(places);
      },
    });
    assert.equal(await results(join(root, "out")), expected);
    said = cluster.log.join("");
  });
  return { warnings: warnings.join("\n"), said, count: harmed.size };
}

/** What workers make and other nodes read. */
const betweenNodes = /^(capture|propagate|add|factor)\.h\.0/;

/** A file of the store, as messages name it. */
const inStore = (root: string): string => `${root}/store/[0-9a-f]{64}\\.arrow`;

const madeAgain = (root: string, by = "\\(on .* \\(process \\d+\\)\\)"): RegExp =>
  new RegExp(`${inStore(root)} was damaged and is removed ?${by}; the run in ${root}/out makes it again`);

const copyRemoved = (root: string): RegExp => new RegExp(`\\S+\\.arrow, a copy of ${inStore(root)}, was damaged and is removed`);

test("one file in store and cache that is damaged is made again", async (workspace) => {
  const { root } = workspace;
  const { warnings, said, count } = await runWithDamage(workspace, betweenNodes, ({ store }) => damage(store));
  assert.ok(count > 3, String(count));
  assert.match(warnings, madeAgain(root));
  assert.match(said, copyRemoved(root));
});

test("what is damaged in the cache alone is fetched again, and nothing is made again", async (workspace) => {
  const { root } = workspace;
  const { warnings, said, count } = await runWithDamage(workspace, betweenNodes, ({ cache }) => damage(cache, cache));
  assert.ok(count > 3, String(count));
  assert.is(warnings, "");
  assert.match(said, copyRemoved(root));
});

test("what is damaged in the store alone, where nobody has it at hand, is made again", async (workspace) => {
  const { root } = workspace;
  const { warnings, count } = await runWithDamage(workspace, betweenNodes, ({ store, cache }) => {
    damage(store, store);
    rmSync(cache);
  });
  assert.ok(count > 3, String(count));
  assert.match(warnings, madeAgain(root));
});

test("a result that is damaged before the run brings it home is made again, with all that it was made of", async (workspace) => {
  const { root } = workspace;
  const { warnings, count } = await runWithDamage(workspace, /^similarity$/, ({ store }) => damage(store));
  assert.is(count, 1);
  assert.match(warnings, madeAgain(root, ""));
  assert.match(warnings, /^the end of the run: /m);
});

test("layers that are damaged in the folder of the run alone are fetched again", async (workspace) => {
  const { root } = workspace;
  const { warnings, count } = await runWithDamage(workspace, /^compress/, ({ store, run: home }) => damage(store, home));
  assert.ok(count > 3, String(count));
  assert.match(warnings, copyRemoved(root));
});

test("a run that goes on where all that was made is damaged ends with the same bytes", async (workspace) => {
  const { root, recipe } = workspace;
  const changes = { shards: 2 };
  const expected = await expectedOf(workspace, changes);
  await withCluster(root, async (cluster) => {
    await mkdir(join(root, "cache"));
    cluster.add({ cache: join(root, "cache") });
    const stopping = new AbortController();
    const stopped = go(recipe(changes), {
      workers,
      queue: cluster.choice(),
      signal: stopping.signal,
      onNode: ({ id }) => id === "compress.h.0.mlp-up" && stopping.abort(),
    });
    assert.instance(await failure(stopped), InterruptedError);
    const kept = (await readdir(cluster.store)).filter((name) => name.endsWith(".arrow"));
    assert.ok(kept.length > 5, kept.join());
    for (const name of kept) damage(join(cluster.store, name));
    const warnings: string[] = [];
    await go(recipe(changes), { workers, queue: cluster.choice(), warn: (line) => warnings.push(line) });
    assert.equal(await results(join(root, "out")), expected);
    assert.match(warnings.join("\n"), madeAgain(root));
  });
});

run();
