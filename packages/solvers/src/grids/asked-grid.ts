import type { Grid, GroupGrid, SiteWeight, SolverSetting, WeightPart, ZeroPoints } from "@mbs/contracts";
import { fittingType, typeMixNamed, blockGrids, roundsNothing } from "@mbs/gguf";
import { sharedGroupOptions } from "./grid-options.ts";
import { UsageError, type Solver } from "@mbs/contracts";
import { codeBits } from "@mbs/numbers";

/** What `--embeddings` takes: nothing is rounded, or as the other weights are, to codes of so many bits, or to a type of blocks. */
export const embeddingsChoices: readonly string[] = ["off", "on", ...codeBits.map(String), ...blockGrids.keys()];

/**
 * Grid options of embedding and head: those of the other weights, or those with bits or a type of their own.
 *
 * @param values of the other weights, as they were given; without bits where these differ
 * @param choice one of `embeddingsChoices`
 * @returns undefined for "off"
 * @throws {UsageError} for a solver that does not round, or chooses for all rows together; where they are to be as weights that differ, or
 *   are not rounded; and where some weights would be rounded to groups and others to blocks, which no format holds together
 */
export function embeddingsValues(solver: Solver, values: GridValues, choice: string): GridValues | undefined {
  if (choice === "off") return undefined;
  const refuse = (problem: string): never => {
    throw new UsageError(`--embeddings ${problem}`, { option: "--embeddings", solver: solver.name });
  };
  if (solver.grids?.includes("groups") !== true || solver.rowsAreIndependent !== true) {
    refuse(`rounds the rows of embedding and head, some at a time, which solver ${solver.name} does not; take gptq or rtn`);
  }
  const { typeMix, bits, groupSize, symmetric, minZeroPoint } = values;
  const inBlocks = asksForBlocks(values);
  if (choice === "on") {
    if (!inBlocks && bits === undefined) {
      refuse("on is as the other weights are, which an allocation gives different bits; give it bits, such as 4");
    }
    if (typeMix !== undefined && roundsNothing(typeMix)) {
      refuse(
        `on takes the types of ${typeMix}, which the allocation is for, and these round nothing; allocate with another type mix, such as Q4_K_M, or leave out embeddings`,
      );
    }
    return values;
  }
  if (blockGrids.has(choice)) {
    if (!inBlocks) refuse(`${choice} is a type of blocks, and the other weights are rounded to groups; take bits such as 4`);
    return { grid: choice };
  }
  if (inBlocks) {
    refuse(
      `${choice} gives embedding and head groups, and the other weights get types of blocks; take on, or a type such as Q6_K`,
    );
  }
  return { bits: Number(choice), groupSize, symmetric, minZeroPoint };
}

/** A solver's options for embedding and head, of which no cross-moments are captured: nothing is compared with the dense model. */
export const embeddingsOptions = <Options extends object>({ options }: Solver, values: Options): Options =>
  Object.hasOwn(options, "qep") ? { ...values, qep: 0 } : values;

/** Options of grids, of whatever solver, parsed; absent where they were not given, or the solver has none. */
export interface GridValues {
  readonly bits?: number | undefined;
  readonly groupSize?: number | undefined;
  readonly symmetric?: boolean | undefined;
  readonly minZeroPoint?: number | undefined;
  readonly grid?: string | undefined;
  readonly typeMix?: string | undefined;
}

/** Those of groups beside bits. */
export type GroupValues = Pick<GridValues, "groupSize" | "symmetric" | "minZeroPoint">;

type Rounding = Pick<Solver, "grids">;

/** Whether options ask for blocks. */
export const asksForBlocks = ({ grid, typeMix }: GridValues): boolean => grid !== undefined || typeMix !== undefined;

/**
 * Whether grids are symmetric where nothing asks for either. Up to 3 bits an asymmetric one loses less than a symmetric one of as
 * many bits a weight, zero points counted: docs/quantisers.md.
 */
const isSymmetricAt = (bits: number): boolean => bits > 3;

/** The grid of groups with so many bits, by the other options. */
export function groupGrid(
  bits: number,
  { groupSize = sharedGroupOptions.groupSize.default, symmetric = isSymmetricAt(bits), minZeroPoint }: GroupValues,
): GroupGrid {
  const zeroPoints: ZeroPoints = symmetric ? "middle" : minZeroPoint === 1 ? "from-one" : "any";
  return { kind: "groups", bits, groupSize, zeroPoints };
}

/** The grid that options of a solver ask for, whatever rows it is for; of a type mix the type of most tensors. */
export function askedGrid({ grids = [] }: Rounding, values: GridValues): Grid {
  const { bits, grid, typeMix } = values;
  const type = grid ?? (typeMix === undefined ? undefined : typeMixNamed(typeMix).base);
  if (type !== undefined && grids.includes("blocks")) return { kind: "blocks", type };
  return bits !== undefined && grids.includes("groups") ? groupGrid(bits, values) : { kind: "none" };
}

/** Whether a grid decides neighbouring columns together: blocks of a codebook type. */
export const hasCodebook = (grid: Grid): boolean => grid.kind === "blocks" && blockGrids.get(grid.type)?.codebook !== undefined;

/** A grid for rows of so many columns: a type falls back where they are no whole blocks of it. @returns undefined where no blocks hold them */
export function fittingGrid(grid: Grid, columns: number): Grid | undefined {
  if (grid.kind !== "blocks") return grid;
  const type = fittingType(grid.type, columns);
  return type.plain === undefined ? { kind: "blocks", type: type.name } : undefined;
}

/**
 * Values of grid options that were not given, by what a run's format likes: the types of its type mix, or else the zero points that
 * it holds.
 *
 * @param grids of the solver
 * @param bits all that tensors may get, where an allocation chooses; default those of the options
 * @returns nothing where the options ask for blocks already, or for no grid; of several bits what is the same for all
 */
export function gridDefaults(
  { grids = [] }: Rounding,
  values: GridValues,
  { zeroPoints, typeMix }: Pick<SolverSetting, "zeroPoints" | "typeMix">,
  bits: readonly number[] = values.bits === undefined ? [] : [values.bits],
): Pick<GridValues, "typeMix" | "symmetric" | "minZeroPoint"> {
  if (asksForBlocks(values) || bits.length === 0 || !grids.includes("groups")) return {};
  if (typeMix !== undefined && grids.includes("blocks")) return { typeMix };
  const all = bits.map((own) => values.symmetric ?? (zeroPoints === "middle" || isSymmetricAt(own)));
  const [first] = all;
  return {
    ...(all.every((own) => own === first) && { symmetric: first }),
    ...(all.includes(false) && zeroPoints === "from-one" && { minZeroPoint: 1 }),
  };
}

/** A weight without its grids. */
type BareWeight = Omit<SiteWeight, "parts"> & { readonly parts: readonly Omit<WeightPart, "grid">[] };

/** A weight all of whose parts are rounded to one grid. */
export const withGrid = (grid: Grid, weight: BareWeight): SiteWeight => ({
  ...weight,
  parts: weight.parts.map((part) => ({ ...part, grid })),
});
