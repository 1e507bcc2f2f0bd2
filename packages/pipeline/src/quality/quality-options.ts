import { optionFlag, parseOptions, UsageError } from "@mbs/contracts";
import type { OptionTable, StageOptions } from "@mbs/contracts";
import type { Recipe } from "../recipe/recipe.ts";

/** Averages over languages by which candidates can be compared. */
export const averages = ["unweighted", "weighted", "worst"] as const;
export type AverageName = (typeof averages)[number];

/** What is of the search itself; all other names under the key `quality` are options of `evaluate`. */
const table = {
  average: {
    kind: "choice",
    choices: averages,
    default: "unweighted",
    description: "the rise that is to be lowest: the mean of all languages, the mean by shares, or that of the worst language",
  },
  budget: {
    kind: "number",
    default: 8,
    minimum: 1,
    maximum: 1000,
    description: "how many times the time of the recipe's own compression the search may take",
  },
} as const satisfies OptionTable;

/** How `--quality best` compares candidates. */
export interface QualitySettings {
  readonly average: AverageName;
  /** The search may take this many times the time of the recipe's own compression, scoring included. */
  readonly budget: number;
  /** Options of `evaluate`: the validation texts, and how much of them. */
  readonly validation: StageOptions;
}

/**
 * The settings of a recipe's key `quality`.
 *
 * @throws {UsageError} where it has none, on a wrong value, and on a weighted average without shares
 */
export function qualitySettings({ quality, sample, locate }: Recipe): QualitySettings {
  if (quality === undefined) {
    throw new UsageError(
      "run: --quality best compares on validation texts; name them in the recipe: quality: { corpus: … }, texts that neither corpus nor evaluate reads",
      { key: "quality" },
    );
  }
  const own = Object.fromEntries(Object.entries(quality).filter(([name]) => Object.hasOwn(table, name)));
  const others = Object.fromEntries(Object.entries(quality).filter(([name]) => !Object.hasOwn(table, name)));
  const where = locate?.(["quality"]) ?? "recipe";
  const { average, budget } = parseOptions(table, own, `${where}: quality`);
  const { distribution } = sample;
  const validation = { ...(distribution !== undefined && { shares: distribution }), ...others, distances: "off" };
  if (average === "weighted" && !Object.hasOwn(validation, "shares")) {
    throw new UsageError(`${where}: quality.average: weighted needs shares; give quality.shares, or sample.distribution`, {
      option: optionFlag("shares"),
    });
  }
  return { average, budget, validation };
}
