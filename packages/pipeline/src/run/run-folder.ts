import { join } from "node:path";
import type { FirstKey } from "../recipe/first-options.ts";

/** A model that is made before everything else. */
export interface FirstModel {
  readonly model: string;
  /** The file that says what it was made of. */
  readonly madeOf: string;
}

const firstModel = (work: string, name: string): FirstModel => ({ model: join(work, name), madeOf: join(work, `${name}.json`) });

/** Where a run keeps what. */
export interface RunFolder {
  readonly root: string;
  /** The compressed model. */
  readonly model: string;
  readonly scores: string;
  readonly similarity: string;
  /** All results that are artifacts: the two above, and one for each entry of `stages`. */
  readonly results: readonly string[];
  /** The full recipe with all hashes. */
  readonly recipe: string;
  /** What the run resumes from: all below. */
  readonly work: string;
  /** Artifacts by address. */
  readonly artifacts: string;
  /** What has been made from what. */
  readonly manifest: string;
  /** Hashes of the files of the model, which it is checked by before it is used again. */
  readonly modelFiles: string;
  /** The commits of the revisions on the Hub that the run began with, and goes on with. */
  readonly revisions: string;
  /** What the machine chose at the first start and results depend on, the number of threads; the run goes on with it. */
  readonly machine: string;
  /** Candidates that a search for the best compression has tried. */
  readonly quality: string;
  /** How far a run is that goes on, or that stopped before its end. */
  readonly status: string;
  /** The models that are made before everything else, where the recipe asks for them. */
  readonly first: Readonly<Record<FirstKey, FirstModel>>;
  /** Identity of the recipe that this folder works on. */
  readonly identity: string;
}

/** @param results names of further results in it, "spread.arrow" */
export function runFolder(root: string, results: readonly string[] = []): RunFolder {
  const work = join(root, "run");
  const [scores, similarity] = [join(root, "scores.arrow"), join(root, "similarity.arrow")];
  return {
    root,
    model: join(root, "model"),
    scores,
    similarity,
    results: [...new Set([scores, similarity, ...results.map((name) => join(root, name))])],
    recipe: join(root, "recipe.yaml"),
    work,
    artifacts: join(work, "artifacts"),
    manifest: join(work, "manifest.json"),
    modelFiles: join(work, "model.json"),
    revisions: join(work, "revisions.json"),
    machine: join(work, "machine.json"),
    quality: join(work, "quality.json"),
    status: join(work, "status.json"),
    first: { trim: firstModel(work, "trimmed"), rotate: firstModel(work, "rotated") },
    identity: join(work, "identity"),
  };
}

/** All that a run writes. */
export const writtenPaths = ({ model, results, recipe, work }: RunFolder): string[] => [model, ...results, recipe, work];
