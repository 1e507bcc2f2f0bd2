import type { Grid, Solver, SolverContext, SolverStatistics } from "@mbs/contracts";
import { withGrid } from "@mbs/solvers";
import type { LoneTensor } from "./output-change.ts";

/** A solver with what it needs for one tensor. */
interface LoneTask {
  readonly solver: Solver;
  readonly statistics: Partial<SolverStatistics>;
  readonly options: Readonly<Record<string, unknown>>;
  readonly grid: Grid;
}

/**
 * What a solver makes of one tensor without the others of its site.
 *
 * @returns its new values, row by row
 */
export async function solveAlone(
  { solver, statistics, options, grid }: LoneTask,
  { tensor, columns, values }: LoneTensor,
  context: SolverContext,
): Promise<Float32Array> {
  const rows = values.length / columns;
  const parts = [{ tensor, firstRow: 0, rows }];
  const weight = withGrid(grid, { rows, columns, values: values.slice(), parts });
  const [needed, given] = [statistics, options] as [Parameters<Solver["solve"]>[1], Parameters<Solver["solve"]>[2]];
  return (await solver.solve(weight, needed, given, context)).values;
}
