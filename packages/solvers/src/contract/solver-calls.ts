import { inspect } from "node:util";
import { gridDefaults } from "../grids/asked-grid.ts";
import { BadDataError, InternalError, UsageError, type MbsError, type Solver, type SolverSetting } from "@mbs/contracts";

/** A third-party solver has its own copy of contracts, whose classes `instanceof` does not match. */
const isUsage = (thrown: unknown): thrown is UsageError => thrown instanceof Error && "tag" in thrown && thrown.tag === "usage";

/**
 * What a solver's code threw, reported as that solver's error.
 *
 * The contract lets a solver refuse options and orders by a UsageError, and the solvers here refuse weights that no grid holds by
 * a BadDataError. Anything else is a fault of the solver:
 * its code, name or tag must not be read as this program's, for example EPIPE as a closed output of this program.
 *
 * @param where "at h.0 mlp-down"
 */
export function solverFailure(solver: string, where: string, thrown: unknown): MbsError {
  const reason = (thrown instanceof Error && thrown.message) || inspect(thrown);
  if (isUsage(thrown))
    return new UsageError(`solver ${solver} ${where}: ${reason}`, { ...thrown.facts, solver }, { cause: thrown });
  if (thrown instanceof BadDataError) {
    return new BadDataError(`solver ${solver} ${where}: ${reason}`, { ...thrown.facts, solver }, { cause: thrown });
  }
  return new InternalError(
    `solver ${solver} failed ${where}: ${reason}; fix it (--debug shows its stack)`,
    { solver },
    { cause: thrown },
  );
}

/** Whether a solver sets weights to zero: then it has a sparsity. */
export const prunesWeights = ({ options }: Pick<Solver, "options">): boolean => Object.hasOwn(options, "sparsity");

type SolverOptions = Parameters<Solver["solve"]>[2];

/**
 * The values for options of a solver that were not given, by its other options and by what the run offers: those of grids, and
 * its own. A recipe calls it once, and so does a command by hand.
 *
 * @param options parsed
 * @param bits all that tensors may get, where an allocation chooses; default those of the options
 * @returns none of those that were given
 * @throws {UsageError} where the solver refuses its options
 * @throws {InternalError} where a third-party solver fails
 */
export function dependentDefaults(
  solver: Solver,
  options: Readonly<Record<string, unknown>>,
  setting: SolverSetting,
  bits?: readonly number[],
): SolverOptions {
  try {
    const defaults = {
      ...gridDefaults(solver, options, setting, bits),
      ...solver.dependentDefaults?.(options as SolverOptions, setting),
    };
    return Object.fromEntries(
      Object.entries(defaults).flatMap(([name, value]) =>
        value === undefined || options[name] !== undefined ? [] : [[name, value] as const],
      ),
    );
  } catch (thrown) {
    throw solverFailure(solver.name, "when asked for its dependentDefaults", thrown);
  }
}
