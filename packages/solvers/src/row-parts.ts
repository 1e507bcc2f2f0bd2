import { InternalError, type Shards, type SiteWeight, type Solver } from "@mbs/contracts";
import { prunesWeights } from "./contract/solver-calls.ts";
import type { RowRange } from "./row-slices.ts";
import { solvers } from "./solver-map.ts";

/** Rows that the column kernel treats at a time: only the last part has some left over. */
const strip = 32;

/** Weights of a part with which a thread gains more than it costs to hand them over. */
const leastWeights = 250_000;

/** Weights of embedding or head that are solved at a time: 16 MiB of float32, and some times that in a solver. */
export const weightsAtATime = 4 * 1024 * 1024;

/**
 * Multiplications of a shard with which another worker gains more than it costs to read factor and weights once more and to join
 * the layers: some seconds, where Gemma 3 270m's largest site takes a quarter of one.
 */
const leastShardWork = 2 ** 35;

/**
 * Splits the rows of a site into a part for each thread, or into fewer where it is small.
 *
 * @param threads ≥ 1
 * @returns at least one range, in order; the same for the same arguments on every machine
 */
export function splitRows({ rows, columns }: Pick<SiteWeight, "rows" | "columns">, threads: number): readonly RowRange[] {
  const strips = Math.ceil(rows / strip);
  const count = Math.max(1, Math.min(threads, strips, Math.floor((rows * columns) / leastWeights)));
  const startOf = (part: number): number => Math.min(rows, Math.floor((part * strips) / count) * strip);
  return Array.from({ length: count }, (_, part) => ({ firstRow: startOf(part), rows: startOf(part + 1) - startOf(part) }));
}

/** Splits rows into parts of `weightsAtATime`, which are solved one after the other. */
export function* splitLongRows({ firstRow, rows }: RowRange, columns: number): Generator<RowRange> {
  const count = Math.max(strip, Math.floor(weightsAtATime / columns / strip) * strip);
  for (let done = 0; done < rows; done += count) yield { firstRow: firstRow + done, rows: Math.min(count, rows - done) };
}

/**
 * The rows of a site that belong to a shard. The first shard has some in any case, the others none where there are fewer strips
 * than shards.
 *
 * @param rows of the whole site, ≥ 1
 */
export function rowsOfShard(rows: number, { first, count, of }: Shards): RowRange {
  const strips = Math.ceil(rows / strip);
  const startOf = (place: number): number => Math.min(rows, Math.ceil((place * strips) / of) * strip);
  const firstRow = startOf(first);
  return { firstRow, rows: startOf(first + count) - firstRow };
}

/** Whether threads may share the rows of a site: of a solver that says so, and that a worker thread finds by its name. */
export const hasSeparableRows = async (solver: Solver): Promise<boolean> =>
  solver.rowsAreIndependent === true && (await solvers.get(solver.name)?.()) === solver;

/** The solver that replaces another at a site whose factor could not be made: `magnitude` for one that prunes, else `rtn`. */
export async function simplerSolver(solver: Solver): Promise<Solver> {
  const name = prunesWeights(solver) ? "magnitude" : "rtn";
  const load = solvers.get(name);
  if (!load) throw new InternalError(`no solver ${name}`);
  return load();
}

/** Whether rows of a site can be solved on different machines, also where its factor could not be made. */
export const canSplitRows = async (solver: Solver): Promise<boolean> =>
  (await hasSeparableRows(solver)) && hasSeparableRows(await simplerSolver(solver));

/**
 * Into how many shards, on different workers, the rows of a site are cut: by the multiplications of GPTQ, which are as many as
 * weights times columns.
 *
 * @param wanted at most so many
 */
export const countRowShards = ({ rows, columns }: Pick<SiteWeight, "rows" | "columns">, wanted: number): number =>
  Math.max(1, Math.min(wanted, Math.floor((rows * columns ** 2) / leastShardWork)));
