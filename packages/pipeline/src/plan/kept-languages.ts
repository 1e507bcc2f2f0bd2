import { UsageError } from "@mbs/contracts";
import type { StageOptions } from "@mbs/contracts";
import { namesLanguages, openCorpus, parseMix } from "@mbs/corpora";
import type { Model } from "@mbs/models";
import { firstOptions } from "../recipe/first-options.ts";
import { recipeKeys } from "../recipe/recipe-keys.ts";
import type { Recipe } from "../recipe/recipe.ts";
import { completeOptions, stageOf } from "./known-stages.ts";
import type { Stages } from "./known-stages.ts";

type TrimmedOrNot = Pick<Model, "trimming">;

/** The languages that `trim` keeps, or that the model was trimmed for; undefined where it never was. */
async function keptLanguages(recipe: Recipe, stages: Stages, { trimming }: TrimmedOrNot): Promise<readonly string[] | undefined> {
  if (recipe.trim === undefined) return trimming?.keep;
  const { keep } = await completeOptions(stageOf(stages, recipeKeys.trim.stage), {
    model: recipe.model,
    ...firstOptions(recipe, "trim"),
  });
  return keep as readonly string[];
}

/**
 * The recipe whose `sample` and `evaluate` take the languages alone that `trim` keeps, or that the model was trimmed for, unless they
 * name languages themselves: texts of others are many short tokens for the trimmed tokenizer, would fill the calibration and swamp the averages.
 *
 * @throws {UsageError} where a corpus has none of the kept languages
 */
export async function withKeptLanguages<R extends Recipe>(recipe: R, stages: Stages, model: TrimmedOrNot): Promise<R> {
  const keep = await keptLanguages(recipe, stages, model);
  if (keep === undefined) return recipe;
  const restricted = async (key: "sample" | "evaluate", options: StageOptions, corpus: unknown): Promise<StageOptions> => {
    if (typeof corpus !== "string" || options["languages"] !== undefined) return options;
    const { name, languages } = await openCorpus(corpus);
    const own = languages.filter((language) => keep.includes(language));
    if (own.length === languages.length) return options;
    if (own.length > 0) return { ...options, languages: own };
    throw new UsageError(
      `${recipe.locate?.([key]) ?? "recipe"}: corpus ${name} has none of ${keep.join(", ")}, which the trimmed model keeps, but ${languages.join(", ")}; give ${key} other texts, or name its languages: ${key}: { languages: [${languages[0] ?? ""}] }`,
      { key },
    );
  };
  const { sample, evaluate } = recipe;
  return {
    ...recipe,
    sample:
      typeof sample["mix"] === "string" && namesLanguages(parseMix(sample["mix"]))
        ? sample
        : await restricted("sample", sample, recipe.corpus),
    ...(evaluate !== undefined && { evaluate: await restricted("evaluate", evaluate, evaluate["corpus"]) }),
  };
}

/** One line on the languages that were chosen by `withKeptLanguages`; undefined where the recipe names them or all are kept. */
export function noteKept(given: Recipe, { sample, evaluate }: Recipe): string | undefined {
  const chosen = Object.entries({ sample, evaluate }).flatMap(([key, options]) => {
    const languages = options?.["languages"];
    const isChosen = Array.isArray(languages) && given[key as "sample" | "evaluate"]?.["languages"] === undefined;
    return isChosen ? [`${key} takes ${languages.join(", ")}`] : [];
  });
  if (chosen.length === 0) return undefined;
  return `${chosen.join(", ")}: the languages of the texts that the trimmed model keeps; name others by languages, as in evaluate: { languages: [en, de] }`;
}
