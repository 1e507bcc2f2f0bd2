import type { Grid, OptionTable, Solver } from "@mbs/contracts";
import { blockGrids, roundsNothing, typeMixes } from "@mbs/gguf";
import { bitLimits } from "@mbs/numbers";

const groupOptions = {
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

const blockOptions = {
  grid: {
    kind: "choice",
    description:
      "round to the blocks of this type, of GGUF or NVFP4 of compressed-tensors, or of its fallback where rows are no whole blocks, instead of groups",
    choices: [...blockGrids.keys()],
    optional: true,
  },
  typeMix: {
    kind: "choice",
    description:
      "the same, each weight to the type that it gets by --type of assemble --format gguf; in a recipe with that format it follows from there, unless grids are given",
    choices: [...typeMixes.keys()].filter((name) => !roundsNothing(name)),
    optional: true,
  },
} as const satisfies OptionTable;

/** Names of the options by which grids are chosen, of whatever solver. */
export const gridOptionNames: readonly string[] = [...Object.keys(groupOptions), ...Object.keys(blockOptions)];

/** What of a solver says which options of grids it has. */
type Rounding = Pick<Solver, "grids" | "groupOptions">;

/** Options of a solver that quantisation types of GGUF exclude: those of groups, its own among them. */
export const excludedByBlocks = ({ grids = [], groupOptions: own = [] }: Rounding): readonly string[] =>
  grids.includes("blocks") ? [...Object.keys(groupOptions), ...own] : [];

/** The options of groups, of a solver that rounds to these kinds of grids. */
function groupOptionsOf(grids: readonly Grid["kind"][]): OptionTable {
  if (!grids.includes("groups")) return {};
  // beside blocks they are absent
  const optional = grids.includes("blocks");
  const { bits, groupSize, ...zeroPoints } = groupOptions;
  const { default: _, ...chosenBits } = bits;
  return {
    bits: grids.includes("none")
      ? { ...chosenBits, description: "also round to that many bits; absent: not rounded", optional: true }
      : { ...bits, optional },
    groupSize: { ...groupSize, optional },
    ...zeroPoints,
  };
}

/** All options that a solver has for its users: its own, and those by which the grids are chosen that it rounds to. */
export function solverOptions({ grids = [], groupOptions: own, options }: Rounding & Pick<Solver, "options">): OptionTable {
  const excludes = excludedByBlocks({ grids, groupOptions: own });
  const { grid, typeMix } = blockOptions;
  const ofBlocks: OptionTable = grids.includes("blocks")
    ? { grid: { ...grid, excludes: [...excludes, "typeMix"] }, typeMix: { ...typeMix, excludes } }
    : {};
  return { ...groupOptionsOf(grids), ...options, ...ofBlocks };
}

/** Options of a solver without those that quantisation types of GGUF exclude. */
export const withoutGroups = <Values extends object>(solver: Rounding, values: Values): Values =>
  Object.fromEntries(Object.entries(values).filter(([name]) => !excludedByBlocks(solver).includes(name))) as Values;

/** Whether some of the given options choose grids, or how weights are rounded to groups: then the format of a recipe does not. */
export const choosesGrids = (solver: Rounding, given: Readonly<Record<string, unknown>>): boolean =>
  [...gridOptionNames, ...excludedByBlocks(solver)].some((name) => given[name] !== undefined);

const { bits: _, ...others } = groupOptions;

/** Options of groups beside bits, of what is the same for all tensors. */
export const sharedGroupOptions = { ...others, groupSize: { ...others.groupSize, optional: true } } as const;
