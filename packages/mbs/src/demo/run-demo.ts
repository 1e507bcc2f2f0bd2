import { rm } from "node:fs/promises";
import { join } from "node:path";
import {
  ArtifactStore,
  collect,
  makeFolder,
  openArtifact,
  parseMetadata,
  readScores,
  readSimilarities,
  writeArtifact,
  writeAtomically,
} from "@mbs/artifacts";
import type { SimilarityRecord } from "@mbs/artifacts";
import { DeniedError, InternalError, at } from "@mbs/contracts";
import type { Progress, StageContext, StageOptions } from "@mbs/contracts";
import { openCorpus, readDistribution } from "@mbs/corpora";
import { readScoresReport, scoresReport } from "@mbs/evaluation";
import { generate, openModel } from "@mbs/models";
import { readRecipe, run } from "@mbs/pipeline";
import type { Recipe, RunOptions, RunResult, Stages } from "@mbs/pipeline";
import { demoLabel } from "./demo-plan.ts";
import type { DemoPlan } from "./demo-plan.ts";
import { demoPage } from "./demo-page.ts";
import { demoResults } from "./demo-results.ts";
import type { DemoResults } from "./demo-results.ts";
import { demoScreen } from "./demo-screen.ts";
import type { Completion } from "./demo-screen.ts";

export interface DemoOptions {
  readonly plan: DemoPlan;
  /** Folder that paths of the plan and of its recipes start at. */
  readonly root: string;
  readonly stages: Stages;
  readonly threads: number;
  readonly signal: AbortSignal;
  readonly progress: (progress: Progress) => void;
  readonly warn: (message: string) => void;
  /** Folder of page, results and runs; runs in it are resumed. */
  readonly output: string;
}

export interface DemoOutcome {
  readonly results: DemoResults;
  /** One screen. */
  readonly screen: string;
}

/** Words of a prompt. */
const promptWords = 7;
const continuationTokens = 16;

interface Compressed {
  readonly method: string;
  readonly label: string;
  readonly folder: string;
  readonly counts: Readonly<Record<string, number>>;
  readonly similarity: string;
}

/** Runs a recipe; the folder of an earlier demo with other sizes or weights is replaced. */
async function runOrReplace(recipe: Recipe, options: RunOptions): Promise<RunResult> {
  try {
    return await run(recipe, options);
  } catch (error) {
    if (!(error instanceof DeniedError)) throw error;
    return run(recipe, { ...options, force: true });
  }
}

/** A recipe of the demo, with what it reads. */
async function demoRecipe(root: string, path: string): Promise<Recipe> {
  const recipe = await readRecipe(join(root, path));
  return { ...recipe, model: join(root, recipe.model), corpus: join(root, recipe.corpus) };
}

/** Runs every method with every mix and seed as an ordinary recipe. */
async function compressAll(options: DemoOptions): Promise<{ models: Compressed[]; base: Recipe }> {
  const { plan, root, output } = options;
  const work = plan.methods.flatMap((method) => plan.mixes.flatMap((mix) => plan.seeds.map((seed) => ({ method, mix, seed }))));
  const models: Compressed[] = [];
  const base = await demoRecipe(root, at(plan.methods, 0).recipe);
  for (const [index, { method, mix, seed }] of work.entries()) {
    const { evaluate: _, ...recipe } = await demoRecipe(root, method.recipe);
    const label = demoLabel(method.name, mix.mix, seed);
    const title = `${method.title}, ${mix.title}${plan.seeds.length > 1 ? `, seed ${seed}` : ""} (${index + 1} of ${work.length})`;
    const { folder, nodes } = await runOrReplace(
      {
        ...recipe,
        sample: { ...recipe.sample, mix: mix.mix, segments: plan.segments, length: plan.length, seed },
        // One language alone cannot be compared.
        similarity: mix.mix === "equal",
        output: join(output, "runs", `${method.name}-${mix.mix.replace(":", "-")}-${seed}`),
      },
      // dense folders, which are compared and then deleted
      { ...options, anySize: true, progress: (progress) => options.progress({ ...progress, activity: title }) },
    );
    const segments = await new ArtifactStore(folder.artifacts).open(at(nodes, 0).address);
    models.push({
      method: method.name,
      label,
      folder: folder.model,
      counts: parseMetadata("segments", segments.schema).counts,
      similarity: folder.similarity,
    });
  }
  return { models, base };
}

/** Scores the dense model and others on the same texts or tasks. */
async function evaluateTo(
  name: string,
  { options, dense, models }: { readonly options: DemoOptions; readonly dense: string; readonly models: readonly Compressed[] },
  on: StageOptions,
): Promise<string> {
  const { stages, signal, progress, warn, threads, output } = options;
  const stage = stages.get("evaluate");
  if (stage === undefined) throw new InternalError("no stage evaluate");
  const context: StageContext = { signal, progress, warn, threads };
  const { scores } = await stage.run(
    {},
    {
      model: [dense, ...models.map(({ folder }) => folder)],
      labels: ["dense", ...models.map(({ label }) => label)],
      ...on,
    },
    context,
  );
  const path = join(output, name);
  if (scores === undefined) throw new InternalError("stage evaluate made no scores");
  await writeArtifact(scores, path, { force: true, signal });
  return path;
}

async function firstWords(corpus: Awaited<ReturnType<typeof openCorpus>>, language: string): Promise<string> {
  for await (const { text } of corpus.documents(language)) {
    const words = text.split(/\s+/).filter((word) => word !== "");
    if (words.length >= promptWords) return words.slice(0, promptWords).join(" ");
  }
  return "";
}

async function completeSentences({ plan, root, threads }: DemoOptions, folder: string): Promise<Completion[]> {
  const corpus = await openCorpus(join(root, plan.evaluation));
  const model = await openModel(folder);
  const completions: Completion[] = [];
  try {
    for (const language of plan.completions) {
      const prompt = await firstWords(corpus, language);
      completions.push({ language, prompt, continuation: await generate(model, prompt, continuationTokens, { threads }) });
    }
    return completions;
  } finally {
    await model.close();
  }
}

/** Compresses the controlled model with every method and calibration mix, scores all, and writes page and results. */
export async function runDemo(options: DemoOptions): Promise<DemoOutcome> {
  const { plan, root, output } = options;
  await makeFolder(output);
  const { models, base } = await compressAll(options);
  const { evaluation, length, windows, tasks } = plan;
  const corpus = join(root, evaluation);
  const evaluated = { options, dense: base.model, models };
  const stream = await openArtifact(await evaluateTo("scores.arrow", evaluated, { corpus, length, windows }));
  const first = models.filter(({ method }) => method === at(plan.methods, 0).name);
  const asked = { tasks: tasks.names, taskPath: [join(root, tasks.folder)] };
  const answers = await readScoresReport(
    await openArtifact(await evaluateTo("tasks.arrow", { ...evaluated, models: first }, asked)),
  );
  const scores = await collect(readScores(stream));
  const { shares } = await readDistribution(base.model);
  const report = scoresReport(scores, { shares: Object.fromEntries(shares), reference: "dense" });
  const ofMix = (mix: string): Compressed => {
    const label = demoLabel(at(plan.methods, 0).name, mix, at(plan.seeds, 0));
    const model = models.find((each) => each.label === label);
    if (model === undefined) throw new InternalError(`the demo made no model ${label}`, { label });
    return model;
  };
  const similarities: SimilarityRecord[] = await collect(readSimilarities(await openArtifact(ofMix("equal").similarity)));
  const counts = new Map(plan.mixes.map(({ mix }) => [mix, ofMix(mix).counts]));
  const results = demoResults(plan, report, shares, counts, similarities, answers.tasks);
  const completions = await completeSentences(options, ofMix("proportional").folder);
  const page = join(output, "index.html");
  await writeAtomically(page, [Buffer.from(await demoPage(results, completions, similarities))], { force: true });
  const numbers = `${JSON.stringify({ ...results, completions }, null, 2)}\n`;
  await writeAtomically(join(output, "results.json"), [Buffer.from(numbers)], { force: true });
  const screen = demoScreen(results, completions, [
    `Plots, Wanda and GPTQ: ${page}; numbers: ${join(output, "results.json")}`,
    `What went wrong, and what to do: npx mbs diagnose ${join(output, "scores.arrow")}`,
    "Your own model, smaller for the languages that you name:",
    "  npx mbs shrink MODEL --languages hi,en,km --bits 3",
  ]);
  await rm(join(output, "runs"), { recursive: true, force: true });
  return { results, screen };
}
