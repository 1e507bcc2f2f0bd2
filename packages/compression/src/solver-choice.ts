import type { FactorRecord } from "@mbs/artifacts";
import { UsageError, parseOptions, type Solver } from "@mbs/contracts";
import { solvers } from "@mbs/solvers";

/** A solver with its parsed options. */
export interface SolverChoice {
  readonly solver: Solver;
  readonly options: Readonly<Record<string, unknown>>;
}

/**
 * What stands in for a solver at a site whose factor could not be made: `magnitude` for one that prunes, else `rtn`, with
 * those of the options that they share.
 *
 * @returns undefined where the factor is there, the solver does without, or no fallback was asked for
 */
export async function fallbackFor({ solver, options }: SolverChoice, record: FactorRecord): Promise<SolverChoice | undefined> {
  if (record.upper || !solver.needs.includes("factor") || record.summary.fallback === undefined) return undefined;
  const name = Object.hasOwn(solver.options, "sparsity") ? "magnitude" : "rtn";
  const load = solvers.get(name);
  if (!load) throw new UsageError(`no solver ${name}`);
  const simple = await load();
  const shared = Object.entries(options).filter(([key]) => Object.hasOwn(simple.options, key));
  return { solver: simple, options: parseOptions(simple.options, Object.fromEntries(shared), simple.name) };
}
