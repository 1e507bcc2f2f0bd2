import { readFile } from "node:fs/promises";
import { openArtifact } from "@mbs/artifacts";
import { describeModel } from "@mbs/assembly";
import { openModel } from "@mbs/models";
import { parse, stringify } from "yaml";
import { readCardResults } from "./card-results.ts";

/** What a model's card is made of beside its mbs.json; paths of files. */
export interface Description {
  readonly scores: readonly string[];
  readonly recipe?: string | undefined;
}

/** A recipe for people: without the address of every node, which is in the file. */
function shortened(recipe: string): string {
  const { hashes, ...rest } = parse(recipe) as Record<string, unknown>;
  const { nodes: _, ...inputs } = (hashes ?? {}) as Record<string, unknown>;
  return stringify({ ...rest, ...(Object.keys(inputs).length > 0 && { hashes: inputs }) });
}

async function addressOf(folder: string): Promise<string> {
  const model = await openModel(folder);
  await model.close();
  return model.address;
}

/** Writes the card of an assembled folder with scores and recipe. */
export async function describe(folder: string, { scores, recipe }: Description): Promise<void> {
  const streams = await Promise.all(scores.map((path) => openArtifact(path)));
  await describeModel(folder, {
    results: streams.length === 0 ? undefined : await readCardResults(streams, await addressOf(folder)),
    recipe: recipe === undefined ? undefined : shortened(await readFile(recipe, "utf8")),
  });
}
