import type { Solver, ZeroPoints } from "@mbs/contracts";
import { solverFailure } from "./solver-calls.ts";

/**
 * What a solver puts where options were not given.
 *
 * @param options parsed
 * @param zeroPoints in a recipe what its format asks for, otherwise `any`
 * @returns none of those that were given
 * @throws {UsageError} where the solver refuses its options
 * @throws {InternalError} where a third-party solver fails
 */
export function dependentDefaults(
  solver: Solver,
  options: Readonly<Record<string, unknown>>,
  zeroPoints: ZeroPoints,
): Readonly<Record<string, unknown>> {
  try {
    const defaults = solver.dependentDefaults?.(options as Parameters<Solver["solve"]>[2], zeroPoints) ?? {};
    return Object.fromEntries(Object.entries(defaults).filter(([name]) => options[name] === undefined));
  } catch (thrown) {
    throw solverFailure(solver.name, "when asked for its dependentDefaults", thrown);
  }
}
