import { UsageError, type Solver } from "@mbs/contracts";
import { blockGrids, roundsNothing } from "@mbs/gguf";
import { codeBits } from "@mbs/numbers";
import { asksForBlocks, type GridValues } from "./asked-grid.ts";

/** What `--embeddings` takes: nothing is rounded, or as the other weights are, to codes of so many bits, or to a type of GGUF. */
export const embeddingsChoices: readonly string[] = ["off", "on", ...codeBits.map(String), ...blockGrids.keys()];

/**
 * Grid options of embedding and head: those of the other weights, or those with bits or a type of their own.
 *
 * @param values of the other weights, as they were given; without bits where these differ
 * @param choice one of `embeddingsChoices`
 * @returns undefined for "off"
 * @throws {UsageError} for a solver that does not round, or chooses for all rows together; where they are to be as weights that differ, or
 *   are not rounded; and where some weights would be rounded to groups and others to the blocks of GGUF, which no format holds together
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
    if (!inBlocks) refuse(`${choice} is a type of GGUF, and the other weights are rounded to groups; take bits such as 4`);
    return { grid: choice };
  }
  if (inBlocks) {
    refuse(`${choice} gives embedding and head groups, and the other weights get types of GGUF; take on, or a type such as Q6_K`);
  }
  return { bits: Number(choice), groupSize, symmetric, minZeroPoint };
}

/** A solver's options for embedding and head, of which no cross-moments are captured: nothing is compared with the dense model. */
export const embeddingsOptions = <Options extends object>({ options }: Solver, values: Options): Options =>
  Object.hasOwn(options, "qep") ? { ...values, qep: 0 } : values;
