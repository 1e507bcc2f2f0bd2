import type { OptionTable, Solver, SolverSetting } from "@mbs/contracts";
import { blockGrids, roundsNothing, typeMixtures } from "@mbs/gguf";
import { gridDefaults, type GridValues } from "./quantisation-options.ts";

const ofGroups = ["bits", "groupSize", "symmetric", "minZeroPoint", "search"];

/** Options of the methods that round to the blocks of GGUF too. @param others options that these exclude beside those of every grid */
export const blockOptions = (others: readonly string[] = []) =>
  ({
    grid: {
      kind: "choice",
      description: "round to the grids of this GGUF type, or of its fallback where rows are no whole blocks, instead of groups",
      choices: [...blockGrids.keys()],
      optional: true,
      excludes: [...ofGroups, ...others, "mixture"],
    },
    mixture: {
      kind: "choice",
      description:
        "the same, each weight to the type that it gets by --type of assemble --format gguf; in a recipe with that format it follows from there, unless grids are given",
      choices: [...typeMixtures.keys()].filter((name) => !roundsNothing(name)),
      optional: true,
      excludes: [...ofGroups, ...others],
    },
  }) as const satisfies OptionTable;

/** Options of a solver that block types of GGUF exclude: those of groups, and what chooses types otherwise. */
export const groupOptions = ({ options }: Pick<Solver, "options">): readonly string[] => options["grid"]?.excludes ?? [];

/** Options of a solver without those that block types of GGUF exclude. */
export const withoutGroups = <Values extends object>(solver: Pick<Solver, "options">, values: Values): Values =>
  Object.fromEntries(Object.entries(values).filter(([name]) => !groupOptions(solver).includes(name))) as Values;

/** Whether options ask for blocks of GGUF. */
export const asksForBlocks = ({ grid, mixture }: { readonly grid?: string | undefined; readonly mixture?: string | undefined }) =>
  grid !== undefined || mixture !== undefined;

type Excludable<Table extends OptionTable> = { readonly [Name in keyof Table]: Table[Name] & { readonly optional: true } };

/** Options that `grid` excludes: absent beside it, with their defaults otherwise. */
export function besideBlocks<const Table extends OptionTable>(table: Table): Excludable<Table> {
  return Object.fromEntries(
    Object.entries(table).map(([name, option]) => [name, { ...option, optional: true }]),
  ) as unknown as Excludable<Table>;
}

/** Values of {@link besideBlocks} where no grid is given: then all that have a default are there. */
export const withoutBlocks = <Values extends object>(values: Values) =>
  values as {
    readonly [Name in keyof Values]: Name extends "bits" | "groupSize" | "search" | "gridRule"
      ? NonNullable<Values[Name]>
      : Values[Name];
  };

/** The mixture that a run's format asks for, or else defaults of groups. */
export function groupDefaults(
  options: Partial<Omit<GridValues, "bits">> & Parameters<typeof asksForBlocks>[0] & { readonly bits?: number | undefined },
  setting: Pick<SolverSetting, "zeroPoints" | "mixture">,
): { readonly mixture?: string; readonly symmetric?: boolean; readonly minZeroPoint?: number } {
  const { bits } = options;
  if (asksForBlocks(options) || bits === undefined) return {};
  return setting.mixture === undefined ? gridDefaults({ ...options, bits }, setting) : { mixture: setting.mixture };
}

/** Super-blocks stay together, whatever the type; within them, and of them, the largest inputs come first. */
export const blockOrder = "group-aware:256";
