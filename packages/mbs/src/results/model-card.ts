import { basename, isAbsolute } from "node:path";
import { openArtifact } from "@mbs/artifacts";
import { describeModel } from "@mbs/assembly";
import { findResource, parseRecipe, readRecipeText } from "@mbs/pipeline";
import { parse, stringify } from "yaml";
import { readCardResults } from "../card-results.ts";

/** What a model's card is made of beside its mbs.json; paths of files. */
export interface Description {
  readonly scores: readonly string[];
  readonly recipe?: string | undefined;
}

/** Where something lies on one machine is nobody's business elsewhere: the name is enough. */
const withoutFolders = (value: unknown): unknown => {
  if (typeof value === "string") return isAbsolute(value) ? basename(value) : value;
  if (Array.isArray(value)) return value.map(withoutFolders);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, withoutFolders(entry)]));
};

/** A recipe for people elsewhere: without its output, and without the address of every node, which is in the file. */
function shortened(recipe: string): string {
  const { output: _output, hashes, ...rest } = parse(recipe) as Record<string, unknown>;
  const { nodes: _nodes, ...inputs } = (hashes ?? {}) as Record<string, unknown>;
  return stringify(withoutFolders({ ...rest, ...(Object.keys(inputs).length > 0 && { hashes: inputs }) }));
}

/** What a recipe calls the model that it compresses; the last part of a path. */
function nameIn(recipe: string): string | undefined {
  const { model } = parse(recipe) as { readonly model?: unknown };
  return typeof model === "string" ? basename(model) : undefined;
}

/** @throws as readRecipe, where a file is no recipe */
async function recipeAt(path: string): Promise<string> {
  const text = await readRecipeText(path);
  parseRecipe(text, path);
  return shortened(text);
}

/** Writes the card of an assembled folder with scores and recipe. */
export async function describe(folder: string, { scores, recipe }: Description): Promise<void> {
  const streams = await Promise.all(scores.map((path) => openArtifact(path)));
  const text = recipe === undefined ? undefined : await recipeAt(recipe);
  await describeModel(folder, {
    results: streams.length === 0 ? undefined : await readCardResults(streams, (await findResource("model", folder)).address),
    recipe: text,
    name: text === undefined ? undefined : nameIn(text),
  });
}
