import { FailedPreconditionError, optionFlag, UsageError } from "@mbs/contracts";
import type { Solver, SolverSetting, Stage, StageOptions } from "@mbs/contracts";
import { roundsNothing } from "@mbs/gguf";
import { codeBits } from "@mbs/numbers";
import { dependentDefaults, groupOptions } from "@mbs/solvers";
import { allocatesBits } from "../recipe/recipe.ts";
import type { Recipe } from "../recipe/recipe.ts";

/**
 * Options of `allocate` with the bits or types to choose from: those that the format holds, where the recipe does not say.
 *
 * @param writer the stage that writes the model
 * @throws {FailedPreconditionError} where the format stores all tensors with the same bits
 */
export async function withChoices(recipe: Recipe, writer: Stage | undefined): Promise<StageOptions | undefined> {
  const { allocate, assemble } = recipe;
  if (allocate === undefined || !allocatesBits(recipe)) return allocate;
  const held = (await writer?.holds?.(assemble)) ?? [];
  const blocks = held.find((grids) => grids.kind === "blocks" && grids.types.length > 0);
  if (blocks?.kind === "blocks" && allocate["bits"] === undefined) {
    const { types, mixture } = blocks;
    return { types, mixture, ...allocate };
  }
  if (allocate["types"] !== undefined) return allocate;
  const groups = held.find((grids) => grids.kind === "groups");
  if (groups?.sameBits !== undefined) throw new FailedPreconditionError(groups.sameBits);
  return { bits: (groups?.bits ?? codeBits).map(String), ...allocate };
}

/** A list as a recipe has it: one text, with commas, or several. */
export const listOf = (value: unknown): string[] =>
  Array.isArray(value) ? value : typeof value === "string" ? value.split(",") : [];

/** Options of a solver for one of the bits or types. */
type ChoiceOptions = { readonly bits: number } | { readonly grid: string };

/** Options of the solver for each of the bits or types that a tensor may get, of a recipe completed by `withChoices`. */
export function choosable({ allocate = {} }: Pick<Recipe, "allocate">): readonly ChoiceOptions[] {
  const { types, bits } = allocate;
  return types === undefined ? listOf(bits).map((own) => ({ bits: Number(own) })) : listOf(types).map((grid) => ({ grid }));
}

/** The choice that stands for all where one must: the middle one. */
export const middleOf = <Choice>(choices: readonly Choice[]): Choice | undefined => choices[Math.floor(choices.length / 2)];

/** A completed recipe in which all tensors get the same of the bits or types that its allocation chooses from. */
export const representative = (recipe: Recipe): Recipe =>
  allocatesBits(recipe) ? { ...recipe, compress: { ...recipe.compress, ...middleOf(choosable(recipe)) } } : recipe;

/**
 * @param recipe completed by `withChoices`
 * @throws {UsageError} where types are allocated, and the solver has none, the vocabulary cannot be rounded so, or the recipe has options of groups
 */
export function requireTypes(recipe: Recipe, solver: Solver): void {
  const { allocate, compress, locate } = recipe;
  if (!Object.hasOwn(solver.options, "grid")) {
    throw new UsageError(
      `${locate?.(["allocate"]) ?? "recipe"}: allocate chooses the GGUF type of each tensor, and solver ${solver.name} does not round to these; take gptq or rtn, or another format`,
      { key: "allocate" },
    );
  }
  const { vocabulary = "off" } = compress;
  if (vocabulary !== "off" && vocabulary !== "on") {
    throw new UsageError(
      `${locate?.(["compress", "vocabulary"]) ?? "recipe"}: embedding and head take what assemble.type gives them where allocate chooses GGUF types; give compress vocabulary: on, or none`,
      { key: "compress.vocabulary" },
    );
  }
  const mixture = vocabulary === "on" ? allocate?.["mixture"] : undefined;
  if (typeof mixture === "string" && roundsNothing(mixture)) {
    throw new UsageError(
      `${locate?.(["compress", "vocabulary"]) ?? "recipe"}: embedding and head take what assemble.type gives them, and ${mixture} rounds nothing; take a type that rounds, such as Q4_K_M, or leave out vocabulary`,
      { key: "compress.vocabulary" },
    );
  }
  const given = [...groupOptions(solver), "grid"].find((name) => compress[name] !== undefined);
  if (given === undefined) return;
  throw new UsageError(
    `${locate?.(["compress", given]) ?? "recipe"}: allocate chooses the GGUF type of each tensor, which says this too; remove compress.${optionFlag(given).slice(2)}`,
    { key: `compress.${given}` },
  );
}

/** What is wrong with a vocabulary beside an allocation of bits, which neither these nor a size count; nothing beside types. */
export async function vocabularyFault(recipe: Recipe, writer: Stage | undefined): Promise<string | undefined> {
  const { allocate = {}, compress } = recipe;
  const { vocabulary = "off" } = compress;
  // a format without types of its own is refused where the choices are needed
  const choices = await withChoices(recipe, writer).catch(() => undefined);
  if (vocabulary === "off" || choices?.["types"] !== undefined) return undefined;
  if (vocabulary === "on") {
    return "chooses the bits of each tensor, and compress.vocabulary: on takes those of all; give it bits, such as 4";
  }
  return allocate["size"] === undefined
    ? undefined
    : "counts in its size a vocabulary that stays as it is, and compress.vocabulary gives it codes; give allocate bits-per-weight instead of size";
}

/** Values for options that were not given and that are the same whatever a tensor gets; the others stay open. */
export function sharedDefaults(
  solver: Solver,
  own: StageOptions,
  setting: SolverSetting,
  choices: readonly ChoiceOptions[],
): ReturnType<typeof dependentDefaults> {
  const all = choices.map((choice) => dependentDefaults(solver, { ...own, ...choice }, setting));
  const names = new Set(all.flatMap((values) => Object.keys(values)));
  return Object.fromEntries(
    [...names].flatMap((name) => {
      const values = new Set(all.flatMap((defaults) => (name in defaults ? [defaults[name]] : [])));
      const [value] = values;
      return values.size === 1 && value !== undefined ? [[name, value] as const] : [];
    }),
  );
}
