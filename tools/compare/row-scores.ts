import { join } from "node:path";
import { collect, openArtifact, readScores } from "@mbs/artifacts";
import type { Score } from "@mbs/artifacts";
import { scoresFile } from "./rows.ts";

/** The scores of a row in a folder. @param name "gptq-3 equal", or "dense" */
export const readRowScores = async (folder: string, name: string): Promise<Score[]> =>
  collect(readScores(await openArtifact(join(folder, scoresFile(name)))));
