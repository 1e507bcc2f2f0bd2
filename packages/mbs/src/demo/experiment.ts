import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { openArtifact, parseMetadata, readScores, readSimilarities, type Score, type SimilarityRecord } from "@mbs/artifacts";
import type { Stage, StageContext } from "@mbs/contracts";
import { stages } from "../stages.ts";
import { demoMethods, demoMixes, denseLabel, modelLabel, type DemoSettings } from "./settings.ts";
import { runOnFiles } from "./stage-files.ts";

/** What one seed gave. */
export interface SeedOutcome {
  readonly seed: number;
  readonly scores: readonly Score[];
  /** Between languages, from the equal mix: it has all of them. */
  readonly similarities: readonly SimilarityRecord[];
  /** Folder of each compressed model, by label. */
  readonly folders: ReadonlyMap<string, string>;
}

export interface DemoPlaces {
  readonly model: string;
  readonly calibration: string;
  readonly heldout: string;
  /** For intermediate artifacts and models. */
  readonly work: string;
}

async function stageNamed(name: string): Promise<Stage> {
  const entry = stages.get(name);
  if (entry === undefined) throw new TypeError(`no stage ${name}`);
  return entry.load();
}

/** Runs one seed of the experiment: every mix by every method, dense propagation (one capture serves all methods of a mix). */
export async function runSeed(
  places: DemoPlaces,
  settings: DemoSettings,
  seed: number,
  context: StageContext,
  say: (line: string) => void,
): Promise<SeedOutcome> {
  const { model, calibration, heldout } = places;
  const work = join(places.work, `seed-${seed}`);
  await mkdir(work, { recursive: true });
  const file = (name: string): string => join(work, `${name}.arrow`);
  const [sample, capture, solve, compress, assemble, evaluate, similarity] = await Promise.all(
    ["sample", "capture", "solve", "compress", "assemble", "evaluate", "similarity"].map(stageNamed),
  );
  const folders = new Map<string, string>();
  let similarityPath = "";
  for (const mix of demoMixes) {
    say(`calibrating with the ${mix.title} mix`);
    const sampling = { model, corpus: calibration, mix: mix.mix, segments: settings.segments, length: settings.length, seed };
    const segments = await runOnFiles(sample, {}, sampling, file(`segments-${mix.name}`), context);
    const statistics = await runOnFiles(capture, { source: [segments] }, { model }, file(`statistics-${mix.name}`), context);
    if (mix.mix === "equal") {
      similarityPath = await runOnFiles(similarity, { statistics: [statistics] }, {}, file("similarity"), context);
    }
    const factorsByOrder = new Map<string, string>();
    for (const method of demoMethods) {
      const { order } = method;
      const factors =
        factorsByOrder.get(order) ??
        (await runOnFiles(
          solve,
          { statistics: [statistics] },
          { order },
          file(`factors-${mix.name}-${factorsByOrder.size}`),
          context,
        ));
      factorsByOrder.set(order, factors);
      const label = modelLabel(method, mix);
      const layers = await runOnFiles(
        compress,
        { factors: [factors] },
        { model, ...method.options },
        file(`layers-${label}`),
        context,
      );
      folders.set(label, await runOnFiles(assemble, { layers: [layers] }, { model }, join(work, label), context));
      await rm(layers);
    }
    await Promise.all([statistics, ...factorsByOrder.values()].map((path) => rm(path)));
  }
  say(`evaluating ${folders.size + 1} models in every language`);
  const evaluation = {
    model: [model, ...folders.values()],
    labels: [denseLabel, ...folders.keys()],
    corpus: heldout,
    length: settings.length,
    windows: settings.windows,
  };
  const scores: Score[] = [];
  for await (const score of readScores(await openArtifact(await runOnFiles(evaluate, {}, evaluation, file("scores"), context)))) {
    scores.push(score);
  }
  const similarities: SimilarityRecord[] = [];
  for await (const record of readSimilarities(await openArtifact(similarityPath))) similarities.push(record);
  return { seed, scores, similarities, folders };
}

/** Training shares that the scores were made with. */
export async function sharesOfScores(path: string): Promise<Readonly<Record<string, number>>> {
  return parseMetadata("scores", (await openArtifact(path)).schema).shares ?? {};
}
