import type { SiteWeight, Solution, Solver, SolverStatistics } from "@mbs/contracts";

/** Rows of a site that a worker thread solves. */
export interface RowTask {
  /** Name of a built-in solver. */
  readonly solver: string;
  readonly weight: SiteWeight;
  readonly statistics: Partial<SolverStatistics>;
  readonly options: Parameters<Solver["solve"]>[2];
}

/** What an error keeps on its way out of a worker thread: a copy of the error itself would lose its tag and its facts. */
export interface RowFailure {
  readonly message: string;
  readonly stack?: string | undefined;
  readonly tag?: unknown;
  readonly facts?: unknown;
}

/** Rows that are solved, with what the solver warned of. */
export interface Solved {
  readonly solution: Solution;
  readonly warnings: readonly string[];
}

/** What a worker thread answers to a task. */
export type RowAnswer = Solved | { readonly failure: RowFailure };
