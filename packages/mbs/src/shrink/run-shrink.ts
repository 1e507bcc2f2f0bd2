import { readFile } from "node:fs/promises";
import { openArtifact, writeAtomically } from "@mbs/artifacts";
import { sizeReport } from "@mbs/assembly";
import type { ArtifactStream } from "@mbs/contracts";
import { readScoresReport } from "@mbs/evaluation";
import type { ScoresReport } from "@mbs/evaluation";
import { parseRecipe, run } from "@mbs/pipeline";
import type { RunOptions } from "@mbs/pipeline";
import { comparedScores } from "./compared-scores.ts";
import { resultPage } from "./result-page.ts";
import { unknownLanguages } from "./result-text.ts";
import { recipePath, reportPath, shrinkRecipe, usualPath, usualRecipe } from "./shrink-recipe.ts";
import type { ShrinkChoices } from "./shrink-recipe.ts";
import type { ShrinkSource } from "./shrink-source.ts";

/** What is run, once it is planned. */
export interface PlannedShrink {
  readonly choices: ShrinkChoices;
  readonly source: ShrinkSource;
  /** Tokens of the source. */
  readonly vocabulary: number;
  /** Whether an earlier command has written the recipes. */
  readonly isBegun: boolean;
}

/** A model that was made. */
export interface ShrinkResult {
  /** Its folder. */
  readonly model: string;
  /** Of its weight files. */
  readonly bytes: number;
  /** The file of its scores. */
  readonly scoresFile: string;
  /** Its losses against the source, and those of the model that it is compared with once there is one. */
  readonly scores: ScoresReport;
}

async function runRecipe(text: string, path: string, options: RunOptions): Promise<ShrinkResult> {
  const { folder } = await run(parseRecipe(text, path), options);
  return {
    model: folder.model,
    bytes: (await sizeReport(folder.model)).bytesOnDisk,
    scoresFile: folder.scores,
    scores: await readScoresReport(await openArtifact(folder.scores)),
  };
}

/** Writes the page of the result. @param usual to what the model is rounded that the scores have beside it; undefined without one */
async function writeReport(
  { choices, source, vocabulary }: PlannedShrink,
  { bytes, scores }: ShrinkResult,
  stream: ArtifactStream,
  usual?: string,
): Promise<void> {
  const page = await resultPage({
    source,
    after: bytes,
    scores: stream,
    usual,
    languages: choices.languages.tags,
    unknown: unknownLanguages(scores, vocabulary),
  });
  await writeAtomically(reportPath(choices.output), [Buffer.from(page)], { force: true });
}

/** Makes the shrunk model and the page of what it lost. */
export async function runShrink(planned: PlannedShrink, options: RunOptions): Promise<ShrinkResult> {
  const { choices, isBegun } = planned;
  const { output } = choices;
  const recipe = shrinkRecipe(choices);
  const writeRecipe = async (path: string, text: string): Promise<void> => {
    const found = options.force === true ? undefined : await readFile(path, "utf8").catch(() => undefined);
    // it may have been edited
    if (found !== undefined && found !== text)
      options.warn?.(`${path} differs from the recipe of this command, and is written again`);
    await writeAtomically(path, [Buffer.from(text)], { force: true });
  };
  const writeRecipes = async (): Promise<void> => {
    await writeRecipe(usualPath(output), usualRecipe(choices));
    await writeRecipe(recipePath(output), recipe);
  };
  // at once, so that what is stopped goes on without a plan; those of an earlier one stay until its run is known to be the same
  if (!isBegun) await writeRecipes();
  const usual = parseRecipe(usualRecipe(choices), usualPath(output));
  // the plan has said how large it will be
  const shrunk = await runRecipe(recipe, recipePath(output), { ...options, anySize: true, following: [usual] });
  if (isBegun) await writeRecipes();
  await writeReport(planned, shrunk, await openArtifact(shrunk.scoresFile));
  return shrunk;
}

/** Makes the model that is rounded to nearest, and the page of both. */
export async function runUsual(planned: PlannedShrink, shrunk: ShrinkResult, options: RunOptions): Promise<ShrinkResult> {
  const { choices } = planned;
  const usual = await runRecipe(usualRecipe(choices), usualPath(choices.output), { ...options, anySize: true });
  const compared = async (): Promise<ArtifactStream> =>
    comparedScores(await openArtifact(shrunk.scoresFile), await openArtifact(usual.scoresFile));
  await writeReport(planned, shrunk, await compared(), choices.target.usual.name);
  return { ...usual, scores: await readScoresReport(await compared()) };
}
