import { cpSync, existsSync, rmSync } from "node:fs";
import { readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { RunManifest } from "@mbs/artifacts";
import { BadDataError, InterruptedError, noObserver } from "@mbs/contracts";
import type { Observer } from "@mbs/contracts";
import * as assert from "uvu/assert";
import type { PlanNode } from "../src/plan/nodes/plan-node.ts";
import type { Resources } from "../src/resources/resources.ts";
import { Engine } from "../src/run/engine.ts";
import { WorkerLostError } from "../src/run/node-worker.ts";
import type { NodeWorker } from "../src/run/node-worker.ts";
import { runFolder } from "../src/run/run-folder.ts";
import { fakeStages } from "./fixtures/fake-stages.ts";
import { flipBit } from "./fixtures/flip-bit.ts";
import { failure, go } from "./fixtures/run-fakes.ts";
import { snapshot, workspaceSuite } from "./fixtures/workspace.ts";

const test = workspaceSuite("engine");

test("damaged artifacts that a run reads are made again, with a line that names them", async ({ root, recipe }) => {
  const [out, artifacts] = [join(root, "out"), join(root, "out", "run", "artifacts")];
  await go(recipe());
  const whole = await snapshot(out);
  for (const stop of [
    "sample",
    "capture.h.0.input",
    "compress.h.0.mlp-up",
    "factor.h.1.attention-qkv",
    "compress.h.1.mlp-down",
    "assemble",
  ]) {
    await rm(out, { recursive: true });
    const controller = new AbortController();
    const stopping = { signal: controller.signal, onNode: ({ id }: { id: string }) => id === stop && controller.abort() };
    await failure(go(recipe(), stopping));
    for (const name of await readdir(artifacts)) await flipBit(join(artifacts, name));
    const warnings: string[] = [];
    await go(recipe(), { warn: (line) => warnings.push(line) });
    const again = await snapshot(out);
    for (const name of ["scores.arrow", "similarity.arrow", "recipe.yaml", "model/model.bin"]) {
      assert.is(again[name], whole[name], `${stop}: ${name}`);
    }
    assert.match(
      warnings[0] ?? "",
      /^[^:]+: (\S+\.arrow(, )?)+ (was|were) damaged and (is|are) removed; the run in \S+ makes it again$/,
    );
  }
});

test("of the layers that a model is written from all that are damaged are made again at once", async ({ root, recipe }) => {
  const { nodes } = await go(recipe());
  const whole = await snapshot(join(root, "out"));
  const layers = nodes.filter(({ stage }) => stage === "compress").map(({ address }) => `${address}.arrow`);
  for (const name of layers) await flipBit(join(root, "out", "run", "artifacts", name));
  await rm(join(root, "out", "model"), { recursive: true });
  const warnings: string[] = [];
  await go(recipe(), { warn: (line) => warnings.push(line) });
  assert.is(warnings.length, 1);
  for (const name of layers) assert.match(warnings[0] ?? "", name);
  assert.equal(await snapshot(join(root, "out")), whole);
});

test("damaged scores of a finished run are made again", async ({ root, recipe }) => {
  const { nodes } = await go(recipe());
  const whole = await snapshot(join(root, "out"));
  for (const id of ["evaluate", "similarity"]) {
    const address = nodes.find((node) => node.id === id)?.address;
    await flipBit(join(root, "out", "run", "artifacts", `${address}.arrow`));
    await go(recipe());
    assert.equal(await snapshot(join(root, "out")), whole);
  }
});

/** Copies a folder in which threads write: where a file gets its name between two looks at it, once more. */
function copyInUse(from: string, to: string): void {
  for (;;) {
    try {
      return cpSync(from, to, { recursive: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      rmSync(to, { recursive: true, force: true });
    }
  }
}

test("from what is on the disk when a node begins, at most a node is made again", async ({ root, recipe }) => {
  const out = join(root, "out");
  const later = { later: { stage: "similarity", inputs: { statistics: "capture" } } };
  for (const [name, mostRepeated, changes] of [
    // capture, factor, compress and propagate of a node
    ["sequential", 4, { propagation: "sequential" }],
    ["kept", 4, { propagation: "sequential", keep: true }],
    // the statistics of all nodes
    ["dense", 1, { propagation: "dense", stages: later }],
  ] as const) {
    let begun = 0;
    const copying = (): void => {
      const copy = join(root, name, String(begun));
      begun += 1;
      // as a process that is killed now leaves it: what is written behind has not begun, or is not finished
      copyInUse(out, copy);
    };
    await go(recipe(changes), { stages: fakeStages(copying) });
    const whole = await snapshot(join(out, "model"));
    for (let done = 0; done < begun; done += 1) {
      await rm(out, { recursive: true });
      await rename(join(root, name, String(done)), out);
      const started: string[] = [];
      await go(recipe(changes), { stages: fakeStages((stage) => started.push(stage)) });
      const repeated = started.slice(0, started.length - (begun - done));
      assert.ok(repeated.length <= mostRepeated, `${name} after ${done} nodes: ${started.join()}`);
      assert.equal(await snapshot(join(out, "model")), whole);
    }
    await rm(out, { recursive: true });
  }
});

test("a signal that ends the workers of a run, too, stops it, and nothing is tried again", async ({ root, recipe }) => {
  const controller = new AbortController();
  const warnings: string[] = [];
  const lost = new Map(
    [...fakeStages()].map(([name, stage]) => [
      name,
      {
        ...stage,
        run: async (...given: Parameters<typeof stage.run>) => {
          if (name !== "factor") return stage.run(...given);
          controller.abort();
          throw new WorkerLostError("worker 1 was ended by SIGTERM");
        },
      },
    ]),
  );
  const { signal } = controller;
  const error = await failure(go(recipe(), { stages: lost, signal, warn: (warning) => warnings.push(warning) }));
  assert.instance(error, InterruptedError);
  assert.equal(warnings, []);
  await go(recipe());
  assert.ok(existsSync(join(root, "out", "scores.arrow")));
});

test("every node that runs is reported with its stage and how it ends, and one that was done before is not", async ({
  recipe,
}) => {
  const begun: string[] = [];
  const ended: string[] = [];
  const observer: Observer = {
    ...noObserver,
    stage({ stage, name, peer }) {
      begun.push(`${stage} ${name} ${typeof peer}`);
      return ({ outcome, tag }) => ended.push(`${stage} ${outcome} ${tag}`);
    },
  };
  const failing = fakeStages((stage) => {
    if (stage === "compress") throw new BadDataError("it cannot be compressed");
  });
  await failure(go(recipe(), { observer, stages: failing }));
  assert.is(ended.at(-1), "compress failed bad-data");
  assert.ok(begun.includes("sample sample string"));
  const before = begun.splice(0).length;
  ended.length = 0;
  const { nodes } = await go(recipe(), { observer });
  assert.is(begun.length, nodes.length - (before - 1));
  assert.ok(ended.every((line) => line.endsWith(" finished undefined")));
  const controller = new AbortController();
  const stopping = fakeStages((stage) => {
    if (stage !== "factor") return;
    controller.abort();
    throw new InterruptedError("stopped");
  });
  await failure(go(recipe(), { observer, force: true, stages: stopping, signal: controller.signal }));
  assert.is(ended.at(-1), "factor stopped undefined");
});

const addressOf = (id: string): string => id.padStart(64, "0");
const ignore = (): void => undefined;

/** A plan of one chain or of nodes that all read the first, run by one worker or two. @returns how often a node was taken from it */
async function looksAtPlan(length: number, shape: "chain" | "fan", count: number): Promise<number> {
  const list = Array.from({ length }, (_, index): PlanNode => {
    const [stage, reads] = index === 0 ? ["sample", []] : ["propagate", [shape === "chain" ? String(index - 1) : "0"]];
    return { id: String(index), stage, section: [stage], options: {}, inputs: { source: reads }, after: [] };
  });
  let looks = 0;
  const nodes = new Proxy(list, {
    get(target, name, receiver): unknown {
      if (typeof name === "string" && /^\d+$/.test(name)) looks += 1;
      return Reflect.get(target, name, receiver);
    },
  });
  const made = new Set<string>();
  const workerOf = (name: string): NodeWorker => ({
    name,
    run: async ({ id }) => {
      made.add(addressOf(id));
      return { address: addressOf(id), worker: name };
    },
    remove: () => undefined,
    flush: async () => undefined,
  });
  const store = {
    path: (address: string) => address,
    has: async (address: string) => made.has(address),
    remove: () => undefined,
    removeDamaged: async () => [],
    flush: async () => undefined,
  };
  const manifest = { get: () => undefined, set: async () => undefined };
  const resources = { resolve: async (_: unknown, options: object) => options, code: async (stage: string) => stage };
  const engine = new Engine(
    { nodes, modelFolder: "", blocks: [] },
    {
      stages: fakeStages(),
      folder: runFolder(""),
      store,
      manifest: manifest as unknown as RunManifest,
      resources: resources as unknown as Resources,
      workers: ["one", "two"].slice(0, count).map(workerOf),
      context: { signal: new AbortController().signal, threads: 1, warn: ignore },
      keeps: () => false,
      gather: async () => undefined,
      onNode: ignore,
      onProgress: ignore,
      onWarn: ignore,
      onStart: ignore,
      onDevice: ignore,
      observer: noObserver,
      onRetry: ignore,
    },
  );
  await engine.run();
  return looks;
}

test("a plan of many nodes is run without a look at the whole of it for each", async () => {
  for (const shape of ["chain", "fan"] as const) {
    for (const count of [1, 2]) {
      const looks = await looksAtPlan(600, shape, count);
      // a few passes when it begins
      assert.ok(looks < 25 * 600, `${shape}: ${looks}`);
    }
  }
});

test.run();
