import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { InputOutputError, InterruptedError } from "@mbs/contracts";
import { writeTinyModel } from "@mbs/models/testing";
import { recipeFrom, run } from "@mbs/pipeline";
import type { RunOptions } from "@mbs/pipeline";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { loadStages } from "../src/stages.ts";
import { program } from "./fixtures/program.ts";
import { writeTexts } from "./fixtures/texts.ts";

interface Context {
  root: string;
}

const test = suite<Context>("real stages on workers");
const stages = await loadStages();

test.before.each(async (context) => {
  context.root = await mkdtemp(join(tmpdir(), "mbs-workers-"));
  await writeTinyModel(join(context.root, "model"), { contextLength: 32 });
  await writeTexts(join(context.root, "texts"));
});
test.after.each(({ root }) => rm(root, { recursive: true, force: true }));

/** The command of a worker, before which a shell does something. */
const commandAfter = (shell: string): string[] => [
  "bash",
  "-c",
  `${shell}; exec "$@"`,
  "bash",
  process.execPath,
  program,
  "run-worker",
];

/** Runs a recipe, without workers where no option says so. */
async function go({ root }: Context, keys: object, options: Partial<RunOptions> = {}): ReturnType<typeof run> {
  const recipe = recipeFrom({
    model: join(root, "model"),
    corpus: join(root, "texts"),
    sample: { mix: "equal", segments: 6, length: 32 },
    output: join(root, "out"),
    ...keys,
  });
  return run(recipe, { stages, threads: 1, signal: new AbortController().signal, ...options });
}

/** Path → content in hex, of all but what says how far the run is and on how many workers, in which order. */
async function results({ root }: Context): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const name of (await readdir(join(root, "out"), { recursive: true })).toSorted()) {
    const path = join(root, "out", name);
    if (/^run\/(machine|manifest|status)\.json$/.test(name) || !(await stat(path)).isFile()) continue;
    files[name] = (await readFile(path)).toString("hex");
  }
  return files;
}

/** The results of a recipe without workers, which are then removed. */
async function expectedOf(context: Context, keys: object): Promise<Record<string, string>> {
  await go(context, keys);
  const expected = await results(context);
  await rm(join(context.root, "out"), { recursive: true });
  return expected;
}

const sparse = { compress: { solver: "wanda", sparsity: 0.5 }, propagation: "sequential" };
const later = { similarity: true, shards: 2 };

for (const [what, keys] of [
  ["dense states beside the others, all artifacts kept", { compress: { solver: "gptaq", bits: 3, groupSize: 16 }, keep: true }],
  ["an allocation by outliers, and similarities", { ...sparse, ...later, allocate: { method: "owl" } }],
] as const) {
  test(`two workers give the bytes of none: ${what}`, async (context) => {
    const expected = await expectedOf(context, keys);
    const { nodes } = await go(context, keys, { workers: { count: 2, command: commandAfter("true") } });
    assert.ok(nodes.every(({ worker }) => worker?.startsWith("worker ")));
    assert.equal(await results(context), expected);
  });
}

test("two workers give the bytes of none: a third-party solver and stage", async (context) => {
  const [solver, stage] = [join(context.root, "solver.mjs"), join(context.root, "stage.mjs")];
  await writeFile(
    solver,
    `export default { name: "halves", source: "a test", summary: "halves", needs: [], options: {},
       solve: ({ values }) => ({ values: values.map((value) => value / 2) }) };`,
  );
  await writeFile(
    stage,
    `export default { name: "counts", summary: "counts layers", examples: [],
       inputs: { layers: { kinds: ["layers"], many: true, description: "layers" } },
       outputs: { layers: { kind: "layers", description: "the first of them" } }, options: {},
       async run({ layers }) { return { layers: layers[0] }; } };`,
  );
  const keys = { compress: { solver }, stages: { mine: { stage, inputs: { layers: "compress" } } } };
  const expected = await expectedOf(context, keys);
  assert.ok(Object.hasOwn(expected, "mine.arrow"));
  await go(context, keys, { workers: { count: 2, command: commandAfter("true") } });
  assert.equal(await results(context), expected);
});

test("a disk that is full for a worker fails the run, leaves no part of a file, and the next run goes on", async (context) => {
  const keys = { ...sparse, keep: true };
  const expected = await expectedOf(context, keys);
  // in KiB: enough for the segments, too little for the weights of a node
  const command = commandAfter("ulimit -f 16");
  const error = await go(context, keys, { workers: { count: 1, command } }).catch((thrown: unknown) => thrown);
  assert.instance(error, InputOutputError);
  assert.match(String(error), /limit on file sizes/);
  const left = Object.keys(await results(context));
  assert.ok(left.length > 1, "some nodes were done");
  assert.equal(
    left.filter((name) => !Object.hasOwn(expected, name)),
    [],
    "no part of a file",
  );
  await go(context, keys, { workers: { count: 1, command: commandAfter("true") } });
  assert.equal(await results(context), expected);
});

/** A worker whose process a test may signal. */
async function watched({ root }: Context): Promise<{ command: string[]; signal: (name: NodeJS.Signals) => void }> {
  await mkdir(join(root, "pids"), { recursive: true });
  const path = join(root, "pids", "worker");
  return {
    command: commandAfter(`echo $$ > '${path}'`),
    signal: (name) => void process.kill(Number(readFileSync(path, "utf8")), name),
  };
}

test("a worker that is killed while it writes the model is replaced, and the bytes are the same", async (context) => {
  const expected = await expectedOf(context, sparse);
  const { command, signal } = await watched(context);
  const warnings: string[] = [];
  let isKilled = false;
  await go(context, sparse, {
    workers: { count: 1, command },
    warn: (message) => void (message.includes("worker") && warnings.push(message)),
    progress({ activity }) {
      if (isKilled || !activity.startsWith("assemble: ")) return;
      isKilled = true;
      signal("SIGKILL");
    },
  });
  assert.is(warnings.length, 1);
  assert.match(warnings.join(), /^assemble: worker 1 \(process \d+\) was ended by SIGKILL; it is tried again$/);
  assert.equal(await results(context), expected);
});

for (const [when, last] of [
  ["of a run that stops", "capture.h.0"],
  ["at the end of a run", "assemble"],
] as const) {
  test(`a worker that is killed while it writes what it holds, ${when}: the next run goes on`, async (context) => {
    const expected = await expectedOf(context, sparse);
    const { command, signal } = await watched(context);
    const controller = new AbortController();
    let killed: Promise<void> | undefined;
    const kill = async (): Promise<void> => {
      // it is asked to write, and does not come to it
      signal("SIGSTOP");
      await wait(300);
      signal("SIGKILL");
    };
    const error = await go(context, sparse, {
      workers: { count: 1, command },
      signal: controller.signal,
      onNode({ id }) {
        if (id !== last) return;
        killed ??= kill();
        if (last !== "assemble") controller.abort();
      },
    }).catch((thrown: unknown) => thrown);
    await killed;
    if (last === "assemble") assert.match(String(error), /worker 1 \(process \d+\) was ended by SIGKILL/);
    else assert.instance(error, InterruptedError);
    await go(context, sparse, { workers: { count: 1, command } });
    assert.equal(await results(context), expected);
  });
}

test.run();
