import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InterruptedError, UsageError, at } from "@mbs/contracts";
import type { Stage } from "@mbs/contracts";
import { writeTinyModel } from "@mbs/models/testing";
import { readRecipe, recipeFrom, run } from "@mbs/pipeline";
import type { CandidateFigures, Judge, Recipe, RunOptions, RunResult } from "@mbs/pipeline";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { judgeCandidate } from "../src/results/quality-result.ts";
import { loadStages } from "../src/stages.ts";
import { runMbs } from "./fixtures/run-mbs.ts";
import { writeTexts } from "./fixtures/texts.ts";

const test = suite<{ root: string }>("quality");
test.before.each(async (context) => {
  context.root = await mkdtemp(join(tmpdir(), "mbs-quality-"));
  await writeTinyModel(join(context.root, "model"), { contextLength: 32 });
  await writeTexts(join(context.root, "texts"));
  await writeTexts(join(context.root, "validation"), 13);
});
test.after.each(({ root }) => rm(root, { recursive: true, force: true }));

const gptq = { solver: "gptq", bits: 2, "group-size": 16, search: "none", sweeps: 0, qep: 0 };

const keysOf = (root: string, changes: Readonly<Record<string, unknown>> = {}) => ({
  model: join(root, "model"),
  corpus: join(root, "texts"),
  sample: { mix: "equal", segments: 6, length: 32 },
  // the family with the fewest candidates, and the fastest
  compress: { solver: "rtn", bits: 2, "group-size": 16, search: "none" },
  // as much as the search may want, whatever else the machine does
  quality: { corpus: join(root, "validation"), windows: 2, length: 16, budget: 1000 },
  output: join(root, "out"),
  ...changes,
});

/** Stages that count how often each is started. */
async function countedStages(): Promise<{ stages: ReadonlyMap<string, Stage>; starts: Map<string, number> }> {
  const starts = new Map<string, number>();
  const counted = (stage: Stage): Stage => ({
    ...stage,
    run: (inputs, options, context) => {
      starts.set(stage.name, (starts.get(stage.name) ?? 0) + 1);
      return stage.run(inputs, options, context);
    },
  });
  return { stages: new Map([...(await loadStages())].map(([name, stage]) => [name, counted(stage)])), starts };
}

const search = async (recipe: Recipe, judge: Judge | undefined, options: Partial<RunOptions> = {}): Promise<RunResult> =>
  run(recipe, { stages: await loadStages(), threads: 1, signal: new AbortController().signal, judge, ...options });

/** Judges by a list of rises, in the order in which candidates are tried. */
function judgeBy(rises: readonly number[]): Judge & { calls: () => number } {
  let calls = 0;
  const judge = async (): Promise<CandidateFigures> => {
    const rise = rises[calls++] ?? 9;
    return { unweighted: rise, worst: -rise, worstLanguage: "en" };
  };
  return Object.assign(judge, { calls: () => calls });
}

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

const modelOf = (folder: string): Promise<Buffer> => readFile(join(folder, "model", "model.safetensors"));

test("the candidate with the lowest rise is the model, and its options are in the recorded recipe", async ({ root }) => {
  const { quality, folder } = await search(recipeFrom(keysOf(root, { compress: gptq })), judgeBy([3, 2, 1, 2]));
  const tried = quality?.candidates.map(({ name }) => name) ?? [];
  assert.equal(tried.slice(0, 3), ["as given", "qep 0.5", "no correction"]);
  assert.is(quality?.best, "no correction");
  const recorded = await readRecipe(folder.recipe);
  assert.equal(
    ["solver", "bits", "groupSize", "search", "sweeps", "qep"].map((name) => recorded.compress[name]),
    ["gptq", 2, 16, "hessian", 4, 0],
  );
  // the recorded recipe makes the same model where nothing is searched for
  await search({ ...recorded, output: join(root, "again") }, undefined);
  assert.ok((await modelOf(join(root, "again"))).equals(await modelOf(folder.root)));
});

test("the average that is asked for decides, and a rise that is no number is never the best", async ({ root }) => {
  const quality = { ...keysOf(root).quality, average: "worst" };
  const worst = await search(recipeFrom(keysOf(root, { quality })), judgeBy([1, 2]));
  assert.is(worst.quality?.best, "search error");
  const given = await search(
    recipeFrom(keysOf(root, { output: join(root, "nan") })),
    judgeBy([NaN, NaN, NaN, NaN, NaN, NaN, NaN]),
  );
  assert.is(given.quality?.best, "as given");
});

test("a second run tries nothing, and a search that was stopped goes on with the candidates that are left", async ({ root }) => {
  const recipe = recipeFrom(keysOf(root));
  const whole = judgeBy([3, 1]);
  const { nodes } = await search(recipe, whole);
  const { stages, starts } = await countedStages();
  const idle = judgeBy([]);
  const again = await search(recipe, idle, { stages });
  assert.equal([idle.calls(), [...starts]], [0, []]);
  assert.is(again.quality?.best, "search error");
  assert.equal(
    again.nodes.map(({ address }) => address),
    nodes.map(({ address }) => address),
  );

  const stopped = recipeFrom(keysOf(root, { output: join(root, "stopped") }));
  const controller = new AbortController();
  const first = judgeBy([3]);
  const error = await failure(
    search(
      stopped,
      async (dense, compressed) => {
        controller.abort();
        return first(dense, compressed);
      },
      { signal: controller.signal },
    ),
  );
  assert.instance(error, InterruptedError);
  const rest = judgeBy([1]);
  const resumed = await search(stopped, rest);
  assert.is(rest.calls(), whole.calls() - first.calls(), "the first one is not judged again");
  assert.is(resumed.quality?.best, "search error");
  assert.ok((await modelOf(join(root, "stopped"))).equals(await modelOf(join(root, "out"))));
});

test("layers of the others are removed, and the folder is that of one run", async ({ root }) => {
  const { folder, nodes } = await search(recipeFrom(keysOf(root)), judgeBy([1, 2]));
  assert.equal((await readdir(folder.root)).sort(), ["model", "recipe.yaml", "run"]);
  const kept = new Set(nodes.map(({ address }) => `${address}.arrow`));
  const others = (await readdir(folder.artifacts)).filter((name) => !kept.has(name));
  assert.is(others.length, 2, "scores of the dense model and of the best one on the validation texts");
});

test("a budget of one compression leaves the recipe as it is given", async ({ root }) => {
  const notes: string[] = [];
  const quality = { ...keysOf(root).quality, budget: 1 };
  const found = await search(recipeFrom(keysOf(root, { quality })), judgeBy([3, 1]), { note: (line) => void notes.push(line) });
  assert.is(found.quality?.best, "as given");
  assert.equal(
    found.quality?.candidates.map(({ figures }) => figures !== undefined),
    found.quality?.candidates.map((_, index) => index === 0),
  );
  assert.ok(notes.some((line) => /candidate search error is left out: .* of 1 times one compression/.test(line)));
});

test("with dense propagation the dense model is captured and scored once for all candidates", async ({ root }) => {
  const { stages, starts } = await countedStages();
  const notes: string[] = [];
  const found = await search(recipeFrom(keysOf(root, { propagation: "dense", compress: gptq })), judgeBy([2, 1]), {
    stages,
    note: (line) => void notes.push(line),
  });
  const tried = found.quality?.candidates.length ?? 0;
  assert.is(tried, 2, "the others correct for earlier layers, of which there are none");
  assert.equal([starts.get("sample"), starts.get("capture"), starts.get("factor")], [1, 1, 1]);
  assert.is(starts.get("compress"), tried);
  assert.is(starts.get("evaluate"), tried + 1);
  assert.ok(notes.some((line) => /candidate qep 0\.5 is left out: .*dense/.test(line)));
});

test("a candidate that would drop what the recipe asks for is left out with a note", async ({ root }) => {
  const notes: string[] = [];
  const compress = { solver: "sparsegpt", sparsity: 0.5, bits: 4, "group-size": 16 };
  const quality = { ...keysOf(root).quality, budget: 1 };
  await search(recipeFrom(keysOf(root, { compress, quality })), judgeBy([1]), { note: (line) => void notes.push(line) });
  assert.ok(
    notes.some((line) => /candidate alps is left out: solver alps has no --bits/.test(line)),
    notes.join("\n"),
  );
});

test("texts that are read elsewhere, a solver without candidates and a missing key are refused before anything runs", async ({
  root,
}) => {
  const own = join(root, "solver.mjs");
  await writeFile(
    own,
    `export default { name: "own", source: "https://example.org", summary: "none", needs: [], options: {}, solve: ({ values }) => ({ values }) };\n`,
  );
  for (const [changes, message] of [
    [{ quality: { corpus: join(root, "texts") } }, /quality\.corpus has the texts of corpus/],
    [{ evaluate: { corpus: join(root, "validation") } }, /quality\.corpus has the texts of evaluate\.corpus/],
    [{ quality: undefined }, /name them in the recipe: quality: \{ corpus/],
    [{ compress: { solver: own } }, /no candidates for solver/],
  ] as const) {
    const error = await failure(search(recipeFrom(keysOf(root, changes)), judgeBy([])));
    assert.instance(error, UsageError);
    assert.match((error as Error).message, message);
    assert.not((await readdir(root)).includes("out"));
  }
});

test("the command compares on validation texts by what evaluate measures, with workers too", async ({ root }) => {
  const keys = keysOf(root, { compress: gptq, evaluate: { corpus: join(root, "texts"), length: 16, windows: 2 } });
  const { quality, folder } = await search(recipeFrom(keys), judgeCandidate);
  const figures = quality?.candidates.flatMap((candidate) => candidate.figures ?? []) ?? [];
  assert.is(figures.length, quality?.candidates.length);
  const least = Math.min(...figures.map(({ unweighted }) => unweighted));
  assert.is(quality?.candidates.find(({ name }) => name === quality.best)?.figures?.unweighted, least);
  for (const { unweighted, worst } of figures) assert.ok(worst >= unweighted);

  const path = join(root, "recipe.yaml");
  await writeFile(path, JSON.stringify({ ...keys, output: join(root, "command") }));
  const { code, stdout, stderr } = await runMbs(["run", path, "--quality", "best", "--workers", "1", "--threads", "1"]);
  assert.is(code, 0, stderr);
  assert.match(stdout.toString(), new RegExp(`\\n\\*  ${quality?.best ?? ""} +[+-]`));
  assert.ok((await modelOf(join(root, "command"))).equals(await modelOf(folder.root)));
  assert.is(at((await runMbs(["run", path, "--quality", "fast"])).stderr.match(/given, best/) ?? [], 0), "given, best");
});

test.run();
