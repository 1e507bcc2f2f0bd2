import { collectScores, encodeScores, parseMetadata } from "@mbs/artifacts";
import type { ArtifactStream } from "@mbs/contracts";
import { usualLabel } from "./shrink-recipe.ts";

/**
 * Scores of the source and of the shrunk model, followed by those of the model rounded to nearest.
 *
 * @param shrunk scores of the run that has made the shrunk model
 * @param usual scores of the run that rounds to nearest, on the same texts
 */
export async function comparedScores(shrunk: ArtifactStream, usual: ArtifactStream): Promise<ArtifactStream> {
  const [metadata, { models }] = [parseMetadata("scores", shrunk.schema), parseMetadata("scores", usual.schema)];
  const [{ windows }, rounded] = [await collectScores(shrunk), await collectScores(usual)];
  return encodeScores([...windows, ...rounded.windows.filter(({ model }) => model === usualLabel)], {
    ...metadata,
    models: { ...metadata.models, [usualLabel]: models?.[usualLabel] },
  });
}
