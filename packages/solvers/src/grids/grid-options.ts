import type { Grid, GroupGrid, OptionTable, SiteWeight, Solver, SolverSetting, WeightPart, ZeroPoints } from "@mbs/contracts";
import { blockGrids, fittingType, roundsNothing, typeMixtures } from "@mbs/gguf";
import { bitLimits } from "@mbs/numbers";

/** Options of a solver that rounds to grids of groups: which grids. */
export const groupGridOptions = {
  bits: {
    kind: "integer",
    description: "bits of a weight",
    default: 4,
    minimum: bitLimits.fewest,
    maximum: bitLimits.most,
  },
  groupSize: {
    kind: "integer",
    description: "columns that share a scale; 0 for one scale a row",
    default: 128,
    minimum: 0,
    maximum: 1_048_576,
  },
  symmetric: {
    kind: "flag",
    description: "centre the grid on zero; if not given: yes above 3 bits or in a recipe whose format requires it, otherwise no",
    optional: true,
  },
  minZeroPoint: {
    kind: "integer",
    description:
      "smallest zero point of an asymmetric grid; if not given: 1 in a recipe whose format requires it (gptq), otherwise 0",
    minimum: 0,
    maximum: 1,
    optional: true,
  },
} as const satisfies OptionTable;

/** The same of a solver that rounds to the blocks of GGUF too, beside which they are absent. */
export const groupOrBlockOptions = {
  ...groupGridOptions,
  bits: { ...groupGridOptions.bits, optional: true },
  groupSize: { ...groupGridOptions.groupSize, optional: true },
} as const satisfies OptionTable;

/** Options of a solver that rounds to the blocks of GGUF: which types. @param others options that blocks exclude beside those of groups */
export function blockGridOptions(others: readonly string[]) {
  const ofGroups = [...Object.keys(groupGridOptions), ...others];
  return {
    grid: {
      kind: "choice",
      description: "round to the grids of this GGUF type, or of its fallback where rows are no whole blocks, instead of groups",
      choices: [...blockGrids.keys()],
      optional: true,
      excludes: [...ofGroups, "mixture"],
    },
    mixture: {
      kind: "choice",
      description:
        "the same, each weight to the type that it gets by --type of assemble --format gguf; in a recipe with that format it follows from there, unless grids are given",
      choices: [...typeMixtures.keys()].filter((name) => !roundsNothing(name)),
      optional: true,
      excludes: ofGroups,
    },
  } as const satisfies OptionTable;
}

/** Options of grids, of whatever solver, parsed; absent where they were not given, or the solver has none. */
export interface GridValues {
  readonly bits?: number | undefined;
  readonly groupSize?: number | undefined;
  readonly symmetric?: boolean | undefined;
  readonly minZeroPoint?: number | undefined;
  readonly grid?: string | undefined;
  readonly mixture?: string | undefined;
}

/** Options of a solver that block types of GGUF exclude: those of groups, and what chooses types otherwise. */
export const groupOptions = ({ options }: Pick<Solver, "options">): readonly string[] => options["grid"]?.excludes ?? [];

/** Options of a solver without those that block types of GGUF exclude. */
export const withoutGroups = <Values extends object>(solver: Pick<Solver, "options">, values: Values): Values =>
  Object.fromEntries(Object.entries(values).filter(([name]) => !groupOptions(solver).includes(name))) as Values;

/** Whether options ask for blocks of GGUF. */
export const asksForBlocks = ({ grid, mixture }: GridValues): boolean => grid !== undefined || mixture !== undefined;

/**
 * Whether grids are symmetric where nothing asks for either. Up to 3 bits an asymmetric one loses less than a symmetric one of as
 * many bits a weight, zero points counted: docs/quantisers.md.
 */
export const isSymmetricAt = (bits: number): boolean => bits > 3;

/** The zero points that the grids of the options may have. */
function zeroPointsOf({ bits = 0, symmetric, minZeroPoint }: GridValues): ZeroPoints {
  if (symmetric ?? isSymmetricAt(bits)) return "middle";
  return minZeroPoint === 1 ? "from-one" : "any";
}

/**
 * Values of grid options that were not given, by what a run's format likes: the types of its mixture, or else the zero points that
 * it holds.
 *
 * @param grids of the solver
 * @returns nothing where the options ask for blocks already, or for no grid
 */
export function gridDefaults(
  grids: readonly Grid["kind"][],
  values: GridValues,
  { zeroPoints, mixture }: Pick<SolverSetting, "zeroPoints" | "mixture">,
): Pick<GridValues, "mixture" | "symmetric" | "minZeroPoint"> {
  const { bits, symmetric: given } = values;
  if (asksForBlocks(values) || bits === undefined || !grids.includes("groups")) return {};
  if (mixture !== undefined && grids.includes("blocks")) return { mixture };
  const symmetric = given ?? (zeroPoints === "middle" || isSymmetricAt(bits));
  return { symmetric, ...(!symmetric && zeroPoints === "from-one" && { minZeroPoint: 1 }) };
}

/** The grid of groups that options ask for; undefined where they ask for none. */
export function groupGridOf(values: GridValues): GroupGrid | undefined {
  const { bits, groupSize = groupGridOptions.groupSize.default } = values;
  if (bits === undefined || asksForBlocks(values)) return undefined;
  return { kind: "groups", bits, groupSize, zeroPoints: zeroPointsOf(values) };
}

/** Whether options of a solver ask for a grid at all. */
export const asksForGrid = ({ grids }: Pick<Solver, "grids">, values: GridValues): boolean =>
  grids !== undefined && (values.bits !== undefined || asksForBlocks(values));

/**
 * The grid that options of a solver ask for, of rows of so many columns.
 *
 * @param typeOf what a mixture gives the tensor
 * @returns none also for rows that are no whole blocks of the type or its fallbacks
 */
export function gridOf(
  solver: Pick<Solver, "grids">,
  values: GridValues,
  columns: number,
  typeOf?: (mixture: string) => string | undefined,
): Grid {
  if (!asksForGrid(solver, values)) return { kind: "none" };
  const { grid, mixture } = values;
  const wanted = grid ?? (mixture === undefined ? undefined : typeOf?.(mixture));
  if (!asksForBlocks(values)) return groupGridOf(values) ?? { kind: "none" };
  const type = wanted === undefined ? undefined : fittingType(wanted, columns);
  return type === undefined || type.plain !== undefined ? { kind: "none" } : { kind: "blocks", type: type.name };
}

/** A weight without its grids. */
type BareWeight = Omit<SiteWeight, "parts"> & { readonly parts: readonly Omit<WeightPart, "grid">[] };

/** A weight all of whose parts are rounded to the grid that options of a solver ask for; not to a mixture. */
export function withGrid(solver: Pick<Solver, "grids">, values: GridValues, weight: BareWeight): SiteWeight {
  const grid = gridOf(solver, values, weight.columns);
  return { ...weight, parts: weight.parts.map((part) => ({ ...part, grid })) };
}

/** Super-blocks stay together, whatever the type; within them, and of them, the largest inputs come first. */
export const blockOrder = "group-aware:256";
