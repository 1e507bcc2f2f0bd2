import { optionFlag, UsageError, type Solver } from "@mbs/contracts";
import { prunesWeights } from "../contract/solver-calls.ts";
import type { GridValues, GroupValues } from "./asked-grid.ts";
import { excludedByBlocks, gridOptionNames } from "./grid-options.ts";

/** What an allocation has of each block or tensor: a sparsity, or a grid of groups or blocks. */
export type Allocated = "sparsity" | "groups" | "blocks";

/** The type mix of an allocation of types that names none. */
export const defaultTypeMix = "Q4_K_M";

/** What the options of an allocation of grids say of all tensors: those of compress beside it. */
export function sharedValues({
  types,
  typeMix = defaultTypeMix,
  groupSize,
  symmetric,
  minZeroPoint,
}: AllocationValues): GridValues {
  return types === undefined ? { groupSize, symmetric, minZeroPoint } : { typeMix };
}

/** Options of an allocation of grids, parsed. */
export interface AllocationValues extends GroupValues, Pick<GridValues, "typeMix"> {
  /** Absent where bits are chosen. */
  readonly types?: readonly string[] | undefined;
}

/**
 * Refuses an allocation that a solver cannot follow, and options beside it that say what it says.
 *
 * @param given options of compress, without defaults
 * @throws {UsageError} with the remedy
 */
export function requireAllocatable(solver: Solver, chosen: Allocated, given: Readonly<Record<string, unknown>>): void {
  const refuse = (problem: string, option = "--allocation"): never => {
    throw new UsageError(`an allocation ${problem}`, { option, solver: solver.name });
  };
  const { name, grids = [] } = solver;
  const prunes = prunesWeights(solver);
  if (chosen === "sparsity") {
    if (!prunes) refuse(`spreads a sparsity, and solver ${name} has none; leave it out, or take one that prunes, such as wanda`);
    if (given["pattern"] !== undefined) {
      refuse(
        "lets blocks or tensors differ in sparsity, and a pattern is the same everywhere; leave out one of them",
        "--pattern",
      );
    }
    return;
  }
  if (chosen === "groups" && !grids.includes("groups")) {
    refuse(`of bits needs a solver that rounds to them, and ${name} does not; take gptq, or a method that chooses sparsities`);
  }
  if (chosen === "blocks" && !grids.includes("blocks")) {
    refuse(`of GGUF types needs a solver that rounds to them, and ${name} does not; take gptq or rtn, or allocate bits`);
  }
  if (prunes) {
    refuse(
      `of bits is made for rounding alone, and solver ${name} prunes; take a method that chooses sparsities, or a solver that only rounds, such as gptq`,
    );
  }
  const own = [...gridOptionNames, ...(chosen === "blocks" ? excludedByBlocks(solver) : [])];
  const double = own.find((option) => given[option] !== undefined);
  if (double === undefined) return;
  const flag = optionFlag(double);
  refuse(`has the grid of each tensor; leave out ${flag} ${JSON.stringify(given[double])}`, flag);
}
