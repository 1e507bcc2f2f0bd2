import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { availableProcessors, BadDataError, DeniedError, InterruptedError } from "@mbs/contracts";
import * as assert from "uvu/assert";
import { buildProgram } from "../../../tools/test/built-program.ts";
import { parseRecipe } from "../src/recipe/parse-recipe.ts";
import { runFolder } from "../src/run/run-folder.ts";
import { adviseShards, chooseMachine, readMachine } from "../src/run/run-machine.ts";
import type { RunMachine } from "../src/run/run-machine.ts";
import { fakeStages } from "./fixtures/fake-stages.ts";
import { failure, go } from "./fixtures/run-fakes.ts";
import { snapshot, workspaceSuite } from "./fixtures/workspace.ts";

const test = workspaceSuite("threads of a run");
const others = availableProcessors() + 1;

test("a run goes on with the threads that it began with, and says so where the machine would choose others", async ({
  root,
  recipe,
}) => {
  const controller = new AbortController();
  const stopping = {
    signal: controller.signal,
    onNode: ({ stage }: { stage: string }) => stage === "capture" && controller.abort(),
  };
  assert.instance(await failure(go(recipe(), { ...stopping, threads: others })), InterruptedError);
  assert.is((await readMachine(runFolder(join(root, "out"))))?.threads, others);
  const [started, notes]: [string[], string[]] = [[], []];
  const { nodes } = await go(recipe(), {
    threads: undefined,
    stages: fakeStages((name) => started.push(name)),
    note: (note) => notes.push(note),
  });
  assert.is(started[0], "similarity", "what follows the first capture");
  assert.ok(nodes.every(({ command }) => command.includes(`--threads ${others}`)));
  assert.equal(
    notes.filter((note) => note.includes("threads")),
    [`takes ${others} threads, with which the run began, where this machine would choose ${others - 1}`],
  );
  const path = join(root, "out", "recipe.yaml");
  assert.is(parseRecipe(await readFile(path, "utf8"), path).hashes?.["threads"], others);
});

test("another device is refused with both and the remedy, and auto takes that of the run", async ({ root, recipe }) => {
  await go(recipe(), { threads: 2 });
  const folder = runFolder(join(root, "out"));
  assert.is((await readMachine(folder))?.device, undefined, "the processor");
  const before = await snapshot(join(root, "out"));
  const error = await failure(go(recipe(), { threads: 2, device: "webgpu" }));
  assert.instance(error, DeniedError);
  assert.match(
    (error as Error).message,
    /out holds a run that began with --device cpu; with webgpu everything .* Give cpu or leave --device out .* --force$/,
  );
  assert.equal(await snapshot(join(root, "out")), before);
  const started: string[] = [];
  const stages = fakeStages((name) => started.push(name));
  for (const device of ["cpu", "auto"] as const) await go(recipe(), { threads: 2, device, stages });
  assert.equal(started, []);
  await writeFile(folder.machine, JSON.stringify({ threads: 2, workers: 1, device: "webgpu" }));
  const other = await failure(go(recipe(), { threads: 2, device: "cpu" }));
  assert.match((other as Error).message, /began with --device webgpu; with cpu everything/);
  await writeFile(folder.machine, JSON.stringify({ threads: 2, workers: 1, device: "auto" }));
  assert.match(((await failure(go(recipe(), { threads: 2 }))) as Error).message, /damaged/);
});

test("another number is refused with both and the remedy, and nothing is lost; --force takes it", async ({ root, recipe }) => {
  await go(recipe(), { threads: 2 });
  const before = await snapshot(join(root, "out"));
  const error = await failure(go(recipe(), { threads: 3 }));
  assert.instance(error, DeniedError);
  assert.match(
    (error as Error).message,
    /out holds a run that began with --threads 2; with 3 everything .* Give 2 or leave --threads out .* --force$/,
  );
  assert.equal(await snapshot(join(root, "out")), before);
  const started: string[] = [];
  const stages = fakeStages((name) => started.push(name));
  await go(recipe(), { threads: 2, stages });
  await go(recipe(), { threads: undefined, stages });
  assert.equal(started, []);
  await go(recipe(), { threads: 3, stages, force: true });
  assert.is((await readMachine(runFolder(join(root, "out"))))?.threads, 3);
});

test("shards decide how many workers are chosen, and are advised where many processors would stay idle", () => {
  assert.equal(chooseMachine(2, 1), { workers: 1, threads: 2 });
  assert.equal(chooseMachine(2, 8), { workers: 2, threads: 1 });
  assert.equal(chooseMachine(16, 4), { workers: 4, threads: 4 });
  assert.equal(chooseMachine(2, 8, 4), { workers: 4, threads: 1 });
  assert.match(adviseShards({ workers: 1, threads: 16 }, 1, 16) ?? "", "shards: 8");
  assert.is(adviseShards({ workers: 1, threads: 4 }, 1, 4), undefined);
  assert.is(adviseShards({ workers: 8, threads: 2 }, 8, 16), undefined);
});

test("a run without workers counts as one, also when it goes on where several ran", async ({ root, recipe }) => {
  const workers = { command: await buildProgram(new URL("fixtures/fake-worker.ts", import.meta.url)) };
  const machine = async (): Promise<RunMachine | undefined> => readMachine(runFolder(join(root, "out")));
  await go(recipe(), { workers: { ...workers, count: 2 } });
  assert.equal(await machine(), { threads: 1, workers: 2 });
  await go(recipe(), { workers });
  assert.equal(await machine(), { threads: 1, workers: 2 });
  await go(recipe());
  assert.equal(await machine(), { threads: 1, workers: 1 });
});

test("a run without a record, of an earlier version, takes what is given or what the machine has", async ({ root, recipe }) => {
  await go(recipe(), { threads: undefined });
  const folder = runFolder(join(root, "out"));
  await rm(folder.machine);
  const started: string[] = [];
  await go(recipe(), { threads: availableProcessors(), stages: fakeStages((name) => started.push(name)) });
  assert.equal(started, []);
  assert.is((await readMachine(folder))?.threads, availableProcessors());
});

for (const content of [
  "",
  "{",
  "[]",
  "{}",
  '{"threads":"2"}',
  '{"threads":0}',
  '{"threads":1.5}',
  '{"threads":1025}',
  '{"threads":2,"workers":0}',
]) {
  test(`a record ${JSON.stringify(content)} is refused with its remedy`, async ({ root, recipe }) => {
    await go(recipe());
    await writeFile(runFolder(join(root, "out")).machine, content);
    const error = await failure(go(recipe()));
    assert.instance(error, BadDataError);
    assert.match((error as Error).message, /machine\.json is damaged, or was not written by a run; move it away/);
  });
}

test("a folder in its place is refused with its remedy", async ({ root, recipe }) => {
  await go(recipe());
  const { machine } = runFolder(join(root, "out"));
  await rm(machine);
  await mkdir(machine);
  const error = await failure(go(recipe()));
  assert.instance(error, BadDataError);
  assert.match((error as Error).message, /machine\.json is damaged, or was not written by a run; move it away/);
});

test.run();
