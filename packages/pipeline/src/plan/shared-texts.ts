import { stat } from "node:fs/promises";
import type { Recipe } from "../recipe/recipe.ts";
import type { Resources } from "../resources/resources.ts";

const isFile = async (path: string): Promise<boolean> => (await stat(path)).isFile();

/**
 * Held-out texts among those of the calibration, by what the files hold or where they are: their scores would say how well these
 * were learnt.
 */
export async function sharedTexts({ corpus, evaluate, locate }: Recipe, resources: Resources): Promise<string[]> {
  const heldOut = evaluate?.["corpus"];
  if (typeof heldOut !== "string") return [];
  const where = locate?.(["evaluate", "corpus"]) ?? "recipe";
  const remedy = "its losses say little about other texts; name texts that the calibration does not have";
  const [own, other] = [await resources.find("corpus", corpus), await resources.find("corpus", heldOut)];
  if (own.address === other.address) return [`${where}: evaluate has the same texts as the calibration, so ${remedy}`];
  const files = new Set(own.paths);
  const shared: string[] = [];
  // a manifest, which both may have, or a folder, is no text
  for (const path of other.paths.filter((one) => one !== heldOut && one !== corpus && files.has(one)))
    if (await isFile(path)) shared.push(path);
  return shared.length === 0 ? [] : [`${where}: evaluate reads ${shared.join(", ")}, as the calibration does, so ${remedy}`];
}
