import { parseOptions, UsageError, type Solver } from "@mbs/contracts";
import { blockGrids } from "@mbs/gguf";
import { codeBits } from "@mbs/numbers";
import { asksForBlocks } from "./grid-options.ts";

type SolverOptions = Parameters<Solver["solve"]>[2];

/** What `--vocabulary` takes: nothing is rounded, or as the other weights are, to codes of so many bits, or to a type of GGUF. */
export const vocabularyChoices: readonly string[] = ["off", "on", ...codeBits.map(String), ...blockGrids.keys()];

/**
 * Options of a solver for embedding and head: those for the other weights, with bits or a type of their own, and without what
 * compares with the dense model, since no cross-moments are captured of them.
 *
 * @param options of the other weights, parsed
 * @param choice one of `vocabularyChoices`
 * @returns undefined for "off"
 * @throws {UsageError} for a solver that does not round, or chooses for all rows together; and where some weights would be rounded
 *   to groups and others to the blocks of GGUF, which no format holds together
 */
export function vocabularyOptions(solver: Solver, options: SolverOptions, choice: string): SolverOptions | undefined {
  if (choice === "off") return undefined;
  const refuse = (problem: string): never => {
    throw new UsageError(`--vocabulary ${problem}`, { option: "--vocabulary", solver: solver.name });
  };
  if (!Object.hasOwn(solver.options, "bits") || solver.rowsAreIndependent !== true) {
    refuse(`rounds the rows of embedding and head, some at a time, which solver ${solver.name} does not; take gptq or rtn`);
  }
  const inBlocks = asksForBlocks(options);
  const { mixture: _mixture, grid: _grid, bits: _bits, ...others } = options;
  const own = { ...others, ...(Object.hasOwn(solver.options, "qep") && { qep: 0 }) };
  const parse = (grids: object): SolverOptions => parseOptions(solver.options, { ...own, ...grids }, solver.name);
  if (choice === "on") return { ...options, ...own };
  if (!blockGrids.has(choice)) {
    if (inBlocks) {
      refuse(
        `${choice} gives embedding and head groups, and the other weights get types of GGUF; take on, or a type such as Q6_K`,
      );
    }
    return parse({ bits: Number(choice) });
  }
  if (!inBlocks) refuse(`${choice} is a type of GGUF, and the other weights are rounded to groups; take bits such as 4`);
  return parse({ grid: choice });
}
