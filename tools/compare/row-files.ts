/** What tools/compare/run.ts, and the scripts that look at its rows, leave in the folder of a comparison. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { collect, openArtifact, readScores } from "@mbs/artifacts";
import type { Score } from "@mbs/artifacts";
import { fileStem } from "./rows.ts";

/** The file name of a row's scores. @param name "gptq-3 equal", or "dense" */
export const scoresFile = (name: string): string => `${fileStem(name)}.scores.arrow`;

export const readRowScores = async (folder: string, name: string): Promise<Score[]> =>
  collect(readScores(await openArtifact(join(folder, scoresFile(name)))));

/** What a row took on the machine of the comparison. */
export interface Spent {
  readonly seconds: number;
  /** Of all threads, which other programs on the machine change less. */
  readonly processorSeconds: number;
  readonly peakBytes: number;
  /** Bytes of the GGUF file that was written, where it is one. */
  readonly fileBytes?: number;
}

/** The file with what each row took, of those that were never stopped: a line of JSON a row, `name` and `spent`. */
export const spentFile = "spent.jsonl";

/** What each row took. */
export async function readSpent(folder: string): Promise<ReadonlyMap<string, Spent>> {
  const path = join(folder, spentFile);
  if (!existsSync(path)) return new Map();
  const lines = (await readFile(path, "utf8")).split("\n").filter((text) => text !== "");
  return new Map(
    lines.map((line) => {
      const { name, spent } = JSON.parse(line) as { readonly name: string; readonly spent: Spent };
      return [name, spent];
    }),
  );
}
