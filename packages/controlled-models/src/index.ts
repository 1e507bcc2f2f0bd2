import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const pathOf = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

/** In a clone the repository, whose files these are; elsewhere the copies in the package. */
const repository = pathOf("../../../");

/**
 * Folder with `datasets/` and `recipes/` as in the repository: `datasets/controlled-llama` and `datasets/controlled-bloom` are the models,
 * `datasets/controlled-texts` and `datasets/controlled-tasks` their texts and tasks. Licences are named beside each.
 */
export const controlledFolder: string = existsSync(`${repository}datasets/controlled-bloom`)
  ? repository
  : pathOf("../generated/");

/** Paths of the models, folders of Hugging Face: two architectures, trained on the same texts of 16 languages. */
export const controlledModels: Readonly<Record<"bloom" | "llama", string>> = {
  bloom: `${controlledFolder}datasets/controlled-bloom`,
  llama: `${controlledFolder}datasets/controlled-llama`,
};
