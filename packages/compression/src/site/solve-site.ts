import type { LayerRecord, LayerSummary } from "@mbs/artifacts";
import {
  at,
  BadDataError,
  InternalError,
  InterruptedError,
  parseOptions,
  settled,
  type SiteWeight,
  type Solution,
  type Solver,
  type SolverContext,
} from "@mbs/contracts";
import { quantisationTypeNamed } from "@mbs/gguf";
import { roundTo, type WeightDtype } from "@mbs/numbers";
import {
  agreementFault,
  nonfiniteValue,
  outputsByRow,
  prunesWeights,
  shapeFault,
  simplerSolver,
  solverFailure,
  solverOptions,
} from "@mbs/solvers";
import type { RowThreads } from "../rows/row-threads.ts";
import { siteMoment, siteStatistics } from "./site-statistics.ts";
import type { SiteInput } from "./site-statistics.ts";
import type { RowOrigin } from "./site-weight.ts";
import { inputInOrder, solutionFromOrder, storedOrder, weightInOrder, type StoredColumns } from "./stored-order.ts";
import { maskData, plainData, subtractWritten, sumFrom, weightData } from "./tensor-data.ts";

/** A solver with its parsed options. */
export interface SolverChoice {
  readonly solver: Solver;
  readonly options: Readonly<Record<string, unknown>>;
}

/** What a site is solved with. */
export interface SiteContext extends SolverContext {
  /** Threads that share the rows of a large site; absent where one thread does everything. */
  readonly rowThreads?: RowThreads | undefined;
  /** Where the rows of each part are from; absent where all rows of the site are solved. */
  readonly origins?: readonly RowOrigin[] | undefined;
  /** Default none has another order. */
  readonly columnsOf?: StoredColumns | undefined;
  /** What a squared error of each row's output costs, where rows differ in that; [rows]. */
  readonly rowCosts?: Float32Array | undefined;
}

/**
 * The solver that replaces another at a site whose factor could not be made, or that too few tokens reached: `magnitude` for one
 * that prunes, else `rtn`, with the options that both have, but for choices that it does not know (a search by the Hessian).
 *
 * @returns undefined where what the solver reads is there, or no fallback was asked for
 * @throws {BadDataError} where neither does what the solver does: it prunes and rounds at once, or has grids of its own
 */
async function fallbackFor(
  { solver, options }: SolverChoice,
  { parts }: SiteWeight,
  { block, site, factor }: SiteInput,
): Promise<SolverChoice | undefined> {
  const reads = solver.reads?.(options as Parameters<typeof solver.solve>[2]) ?? solver.needs;
  const isLeft = !factor?.upper && reads.includes("factor") && factor?.summary.fallback !== undefined;
  const isStarved = reads.length > 0 && factor?.summary.starved === "rtn";
  if (!isLeft && !isStarved) return undefined;
  const prunes = prunesWeights(solver);
  const rounds = parts.some(({ grid }) => grid.kind !== "none");
  if (prunes === rounds) {
    const what = prunes ? "prunes and rounds at once" : "does something else";
    throw new BadDataError(
      `${block} ${site} has no factor; rounding to nearest or pruning by magnitude can take the place of other solvers, and ${solver.name} ${what}: factor again with more --damping`,
      { block, site },
    );
  }
  const simple = await simplerSolver(solver);
  const table = solverOptions(simple);
  const shared = Object.entries(options).filter(([name, value]) => {
    const option = table[name];
    return option !== undefined && (option.kind !== "choice" || option.choices.some((choice) => choice === value));
  });
  return { solver: simple, options: parseOptions(table, Object.fromEntries(shared), simple.name) };
}

/** Refuses a solution that breaks the contract: a third-party solver may be plain JavaScript. */
function requireSolution(name: string, where: string, weight: SiteWeight, solution: unknown): asserts solution is Solution {
  const refuse = (fault: string | undefined): void => {
    if (fault === undefined) return;
    throw new InternalError(`solver ${name} at ${where} ${fault}; it breaks the contract of solvers (@mbs/contracts, Solver)`, {
      solver: name,
    });
  };
  refuse(shapeFault(weight, solution));
  const shaped = solution as Solution;
  const nonfinite = nonfiniteValue(weight, shaped);
  if (nonfinite !== undefined) {
    throw new InternalError(`solver ${name} at ${where} made ${nonfinite}; factor with more --damping`, { solver: name });
  }
  refuse(agreementFault(weight, shaped));
}

/** What a solver made of a site, and what it was asked for. */
interface SolvedSite {
  readonly solution: Solution;
  /** The solver that took the place of the chosen one. */
  readonly fallback: SolverChoice | undefined;
  /** The order of columns that the weight is stored in, where it is another one; the solution is in the weight's. */
  readonly order: Int32Array | undefined;
}

/** Has the site's solver, or the one that takes its place, solve it. */
async function solved(choice: SolverChoice, weight: SiteWeight, input: SiteInput, context: SiteContext): Promise<SolvedSite> {
  const where = `${input.block} ${input.site}`;
  const order = context.columnsOf && storedOrder(weight, context.columnsOf);
  const [ordered, known] = order ? [weightInOrder(weight, order), inputInOrder(input, order)] : [weight, input];
  const fallback = await fallbackFor(choice, weight, input);
  const { solver, options } = fallback ?? choice;
  const threads = (await context.rowThreads?.splits(solver, ordered)) === true ? context.rowThreads : undefined;
  const needs = solver.reads?.(options as Parameters<typeof solver.solve>[2]) ?? solver.needs;
  const upper = needs.includes("factor") ? threads?.sharedMatrix(weight.columns ** 2) : undefined;
  // by the contract a solver reads only the statistics that it declares
  const statistics = siteStatistics(known, needs, upper) as Parameters<typeof solver.solve>[1];
  const parsed = options as Parameters<typeof solver.solve>[2];
  const solve = async (): Promise<unknown> => {
    try {
      if (threads) return await threads.solve({ solver, weight: ordered, statistics, options: parsed }, context);
      const { blas, signal, warn } = context;
      return await solver.solve({ ...ordered, values: ordered.values.slice() }, statistics, parsed, { blas, signal, warn });
    } catch (thrown) {
      if (context.signal.aborted) throw new InterruptedError("compress: stopped", {}, { cause: thrown });
      throw solverFailure(solver.name, `at ${where}`, thrown);
    }
  };
  const made: unknown = await settled(
    solve(),
    () => new InternalError(`solver ${solver.name} never settles its promise at ${where}; fix it`),
  );
  requireSolution(solver.name, where, ordered, made);
  return { solution: order ? solutionFromOrder(made, order) : made, fallback, order };
}

/** A part of a site as it is written. */
type WrittenPart = SiteWeight["parts"][number] & {
  readonly dtype: WeightDtype;
  /** [rows, columns] */
  readonly values: Float32Array;
  readonly blocks: Uint8Array | undefined;
};

/** The solver's values, rounded to the dtype of their tensor unless they are in blocks of GGUF. */
function writtenParts({ parts, columns }: SiteWeight, dtypes: readonly WeightDtype[], solution: Solution): WrittenPart[] {
  let blockStart = 0;
  return parts.map((part, index) => {
    const { firstRow, rows, grid } = part;
    const values = solution.values.subarray(firstRow * columns, (firstRow + rows) * columns);
    if (grid.kind !== "blocks" || solution.blocks === undefined) {
      const dtype = at(dtypes, index);
      return { ...part, dtype, values: roundTo(dtype, values), blocks: undefined };
    }
    // what the blocks decode to, which the dtype of the model may not hold
    const { values: blockValues, bytes } = quantisationTypeNamed(grid.type);
    const start = blockStart;
    blockStart += ((rows * columns) / blockValues) * bytes;
    return { ...part, dtype: "f32" as const, values, blocks: solution.blocks.slice(start, blockStart) };
  });
}

/** Squared errors and squares of a site's outputs by row, in a moment of its input. */
interface RowErrors {
  readonly moment: ReturnType<typeof siteMoment>["moment"];
  readonly errors: Float64Array;
  readonly outputs: Float64Array;
}

async function rowErrors(
  weight: SiteWeight,
  written: readonly WrittenPart[],
  { inputScale }: Solution,
  input: SiteInput,
  { blas, rowCosts }: SiteContext,
): Promise<RowErrors> {
  const { rows, columns } = weight;
  const change = new Float32Array(rows * columns);
  for (const { firstRow, values } of written) {
    const start = firstRow * columns;
    subtractWritten(change.subarray(start), weight.values.subarray(start), values, inputScale);
  }
  const { moment, values } = siteMoment(input);
  const [errors, outputs] = (await outputsByRow(blas, [change, weight.values], rows, values)) as [Float64Array, Float64Array];
  for (const [row, cost] of rowCosts?.entries() ?? []) {
    errors[row] = at(errors, row) * cost;
    outputs[row] = at(outputs, row) * cost;
  }
  return { moment, errors, outputs };
}

/** Some rows of what a solution has for all rows of a site. */
function rowsOf<Values extends Float32Array | Uint8Array>(whole: Values, part: WrittenPart, rows: number): Values {
  const stride = whole.length / rows;
  return whole.slice(part.firstRow * stride, (part.firstRow + part.rows) * stride) as Values;
}

/** What is stored of a part: its values or blocks, and how they were made. */
function storedParts(part: WrittenPart, { solution, order }: SolvedSite, siteRows: number) {
  const { rows, dtype, values, blocks } = part;
  const { mask, quantised, inputScale } = solution;
  return {
    // what blocks decode to, they say themselves
    ...(blocks ? { blocks: plainData(rows, blocks) } : { values: weightData(dtype, rows, values) }),
    ...(mask && { mask: maskData(rows, rowsOf(mask, part, siteRows)) }),
    ...(quantised && {
      codes: plainData(rows, rowsOf(quantised.codes, part, siteRows)),
      scales: plainData(rows, rowsOf(quantised.scales, part, siteRows)),
      zeros: plainData(rows, rowsOf(quantised.zeros, part, siteRows)),
      groups: plainData(1, quantised.groupOf),
    }),
    ...(blocks && order && { blockColumns: plainData(1, order) }),
    ...(inputScale && { inputScale: plainData(1, inputScale) }),
  };
}

/**
 * Compresses the weights of one site.
 *
 * The written values are the solver's, rounded to the dtype of their tensor unless they are in blocks of GGUF; errors are those of the written values, from
 * the undamped gram, from its diagonal where no gram was captured, or with H = I where nothing was.
 *
 * @param weight not modified
 * @param dtypes of each part
 * @returns one layer a part, in their order
 * @throws {BadDataError} where the factor lacks what the solver needs
 * @throws {UsageError} where the solver cannot use the factor's order
 * @throws {InternalError} where the solver fails, or breaks its contract
 */
export async function solveSite(
  choice: SolverChoice,
  weight: SiteWeight,
  dtypes: readonly WeightDtype[],
  input: SiteInput,
  context: SiteContext,
): Promise<LayerRecord[]> {
  const { columns } = weight;
  const { block, site } = input;
  const solvedSite = await solved(choice, weight, input, context);
  const { solution, fallback } = solvedSite;
  const written = writtenParts(weight, dtypes, solution);
  const { moment, errors, outputs } = await rowErrors(weight, written, solution, input, context);
  return written.map((part, index) => {
    const { tensor, firstRow, rows, grid, blocks } = part;
    const { mask, quantised } = solution;
    const error = Math.max(sumFrom(errors, firstRow, rows), 0);
    const output = sumFrom(outputs, firstRow, rows);
    const summary: LayerSummary = {
      solver: choice.solver.name,
      error,
      damage: output > 0 ? error / output : 0,
      ...(moment !== "gram" && { moment }),
      sparsity: mask ? 1 - sumFrom(mask, firstRow * columns, rows * columns) / (rows * columns) : 0,
      ...(quantised && { bits: quantised.bits, groupSize: quantised.groupSize, symmetric: quantised.symmetric }),
      ...(blocks && grid.kind === "blocks" && { grid: grid.type }),
      ...(fallback && { fallback: fallback.solver.name }),
      ...(input.factor?.summary.starved === "block" && { standIn: "block" }),
      ...(context.origins && { ...at(context.origins, index), output }),
    };
    return { block, site, tensor, summary, ...storedParts(part, solvedSite, weight.rows) };
  });
}
