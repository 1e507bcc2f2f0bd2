import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BadDataError, FailedPreconditionError, InterruptedError, UsageError } from "@mbs/contracts";
import type { Progress, StageContext, StageInputs } from "@mbs/contracts";
import * as assert from "uvu/assert";
import { until } from "../../../tools/test/until.ts";
import { runFolder } from "../src/run/run-folder.ts";
import { readStatus } from "../src/run/run-status.ts";
import { fakeStages } from "./fixtures/fake-stages.ts";
import { failure, go } from "./fixtures/run-fakes.ts";
import { workspaceSuite } from "./fixtures/workspace.ts";

const test = workspaceSuite("status of a run");

test("a run has one line of progress with its nodes and its time left, and each warning once, or with verbose a line for each node", async ({
  root,
  recipe,
}) => {
  const stages = new Map(
    [...fakeStages()].map(([name, stage]) => [
      name,
      {
        ...stage,
        run: (inputs: StageInputs, options: unknown, context: StageContext) => {
          context.progress({ activity: name, done: 1, total: 4, unit: "sites" });
          context.warn(`${name}: 1 of 4 channels are zero`);
          return stage.run(inputs, options, context);
        },
      },
    ]),
  );
  let warnings: string[] = [];
  const seen = async (verbose: boolean): Promise<readonly Progress[]> => {
    const all: Progress[] = [];
    warnings = [];
    const warn = (line: string): void => void warnings.push(line);
    const progress = (one: Progress): void => void all.push(one);
    await go(recipe({ output: join(root, `verbose-${verbose}`) }), { stages, progress, warn, verbose });
    return all.filter(({ unit }) => unit === (verbose ? "sites" : "nodes"));
  };
  const lines = await seen(false);
  assert.is(new Set(lines.map(({ whole }) => whole?.name)).size, 1);
  assert.equal(lines[0], {
    activity: "sample: 1 of 4 sites",
    done: 0,
    total: lines.length,
    unit: "nodes",
    whole: lines[0]?.whole,
  });
  assert.equal(
    lines.map(({ done }) => done),
    lines.map((_, index) => index),
  );
  assert.match(lines.map(({ activity }) => activity).join("\n"), /^capture\.\S+ \(block 1 of \d+\): 1 of 4 sites$/m);
  assert.is(warnings[0], "sample: sample: 1 of 4 channels are zero");
  assert.match(
    warnings[1] ?? "",
    /^"1 of 4 channels are zero", as of sample and with numbers of their own, was said of \d+ more: /,
  );
  assert.is(warnings.length, 2);
  const verbose = await seen(true);
  assert.is(warnings.length, lines.length);
  assert.is(verbose.length, lines.length);
  assert.match(verbose[0]?.activity ?? "", /^sample \(1 of \d+\): sample$/);
  assert.is(new Set(verbose.map(({ activity }) => activity)).size, lines.length);
});

test("a result that will not be smaller is said, unless the run may have any size", async ({ root, recipe }) => {
  const size = { bytes: 2, sourceBytes: 1, notSmaller: "it will not be smaller" };
  const stages = new Map(
    [...fakeStages()].map(([name, stage]) => [name, name === "assemble" ? { ...stage, plannedSize: async () => size } : stage]),
  );
  for (const [anySize, expected] of [
    [false, ["it will not be smaller"]],
    [true, []],
  ] as const) {
    const warnings: string[] = [];
    const output = join(root, `any-size-${anySize}`);
    await go(recipe({ output }), { stages, anySize, warn: (line) => warnings.push(line) });
    assert.equal(warnings, expected);
  }
});

test("a run writes down how far it is, removes that at its end, and says how it stopped", async ({ root, recipe }) => {
  const out = join(root, "out");
  assert.instance(await failure(readStatus(out)), UsageError);
  const controller = new AbortController();
  const { status } = runFolder(out);
  const stages = new Map(
    [...fakeStages()].map(([name, stage]) => [
      name,
      {
        ...stage,
        run: async (...given: Parameters<typeof stage.run>) => {
          if (name === "factor") {
            const isSampled = async (): Promise<boolean> =>
              (await readStatus(out))?.nodes.find(({ id }) => id === "sample")?.state === "done";
            await until(isSampled, "the record says that the segments are there");
            const found = await readStatus(out);
            assert.is(found?.process, process.pid);
            assert.is(found?.nodes.find(({ id }) => id === "assemble")?.state, "waiting");
            controller.abort();
          }
          return stage.run(...given);
        },
      },
    ]),
  );
  assert.instance(await failure(go(recipe(), { stages, signal: controller.signal })), InterruptedError);
  assert.match((await readStatus(out))?.failure ?? "", "the same command goes on from there");
  await go(recipe());
  assert.is(await readStatus(out), undefined);
  assert.not.ok(existsSync(status));
});

test("a damaged record is refused, and does not keep the run from going on", async ({ root, recipe }) => {
  const out = join(root, "out");
  await go(recipe());
  const { status } = runFolder(out);
  const whole = { process: 1, host: "", began: 0, updated: 0, threads: 1, workers: 1, nodes: [] };
  const foreign = [{ failure: 1 }, { secondsLeft: "1" }, { nodes: [{ id: "a", state: "done" }] }].map((wrong) =>
    JSON.stringify({ ...whole, ...wrong }),
  );
  for (const content of ["", "{}", '{"nodes":[1]}', ...foreign]) {
    await writeFile(status, content);
    assert.instance(await failure(readStatus(out)), BadDataError);
  }
  await rm(status);
  await mkdir(status);
  assert.instance(await failure(readStatus(out)), BadDataError);
  // what a run cannot remove there does not make it fail
  await go(recipe());
  await rm(status, { recursive: true });
  await writeFile(status, "{}");
  await go(recipe());
  assert.not.ok(existsSync(status));
});

test("the record of an earlier run does not outlive the start of the next, and a run without one is not done", async ({
  root,
  recipe,
}) => {
  const out = join(root, "out");
  const { status } = runFolder(out);
  const stopped = (): Promise<unknown> => {
    const controller = new AbortController();
    return failure(go(recipe(), { signal: controller.signal, onNode: () => controller.abort() }));
  };
  await stopped();
  await rm(status);
  assert.instance(await failure(readStatus(out)), FailedPreconditionError);
  await stopped();
  assert.match((await readStatus(out))?.failure ?? "", "the same command goes on from there");
  await go(recipe(), {
    describe: async () => {
      await until(async () => (await readStatus(out))?.failure === undefined, "the record of the earlier run is replaced");
      throw new UsageError("no card");
    },
  }).catch(() => undefined);
  assert.is((await readStatus(out))?.failure, "no card");
});

test.run();
