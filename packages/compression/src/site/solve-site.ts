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
  const { rows, columns, parts } = weight;
  const { block, site } = input;
  const order = context.columnsOf && storedOrder(weight, context.columnsOf);
  const [asked, known] = order ? [weightInOrder(weight, order), inputInOrder(input, order)] : [weight, input];
  const fallback = await fallbackFor(choice, weight, input);
  const { solver, options } = fallback ?? choice;
  const threads = (await context.rowThreads?.splits(solver, asked)) === true ? context.rowThreads : undefined;
  const needs = solver.reads?.(options as Parameters<typeof solver.solve>[2]) ?? solver.needs;
  const upper = needs.includes("factor") ? threads?.sharedMatrix(columns ** 2) : undefined;
  // by the contract a solver reads only the statistics that it declares
  const statistics = siteStatistics(known, needs, upper) as Parameters<typeof solver.solve>[1];
  const parsed = options as Parameters<typeof solver.solve>[2];
  const solve = async (): Promise<unknown> => {
    try {
      if (threads) return await threads.solve({ solver, weight: asked, statistics, options: parsed }, context);
      const { blas, signal, warn } = context;
      return await solver.solve({ ...asked, values: asked.values.slice() }, statistics, parsed, { blas, signal, warn });
    } catch (thrown) {
      if (context.signal.aborted) throw new InterruptedError("compress: stopped", {}, { cause: thrown });
      throw solverFailure(solver.name, `at ${block} ${site}`, thrown);
    }
  };
  const made: unknown = await settled(
    solve(),
    () => new InternalError(`solver ${solver.name} never settles its promise at ${block} ${site}; fix it`),
  );
  requireSolution(solver.name, `${block} ${site}`, asked, made);
  const solution = order ? solutionFromOrder(made, order) : made;

  let blockStart = 0;
  const written = parts.map((part, index) => {
    const { firstRow, rows: count, grid } = part;
    const values = solution.values.subarray(firstRow * columns, (firstRow + count) * columns);
    if (grid.kind !== "blocks" || solution.blocks === undefined) {
      const dtype = at(dtypes, index);
      return { ...part, dtype, values: roundTo(dtype, values), blocks: undefined };
    }
    // what the blocks decode to, which the dtype of the model may not hold
    const { values: blockValues, bytes } = quantisationTypeNamed(grid.type);
    const start = blockStart;
    blockStart += ((count * columns) / blockValues) * bytes;
    return { ...part, dtype: "f32" as const, values, blocks: solution.blocks.slice(start, blockStart) };
  });
  const change = new Float32Array(rows * columns);
  for (const { firstRow, values } of written) {
    const start = firstRow * columns;
    subtractWritten(change.subarray(start), weight.values.subarray(start), values, solution.inputScale);
  }
  const { moment, values: inputMoment } = siteMoment(input);
  const [errors, outputs] = (await outputsByRow(context.blas, [change, weight.values], rows, inputMoment)) as [
    Float64Array,
    Float64Array,
  ];
  for (const [row, cost] of context.rowCosts?.entries() ?? []) {
    errors[row] = at(errors, row) * cost;
    outputs[row] = at(outputs, row) * cost;
  }

  return written.map(({ tensor, firstRow, rows: count, dtype, values, grid, blocks }, index) => {
    const part = <Values extends Float32Array | Uint8Array>(whole: Values): Values => {
      const stride = whole.length / rows;
      return whole.slice(firstRow * stride, (firstRow + count) * stride) as Values;
    };
    const { quantised } = solution;
    const mask = solution.mask && part(solution.mask);
    const error = Math.max(sumFrom(errors, firstRow, count), 0);
    const output = sumFrom(outputs, firstRow, count);
    const summary: LayerSummary = {
      solver: choice.solver.name,
      error,
      damage: output > 0 ? error / output : 0,
      ...(moment !== "gram" && { moment }),
      sparsity: mask ? 1 - sumFrom(mask, 0, mask.length) / mask.length : 0,
      ...(quantised && { bits: quantised.bits, groupSize: quantised.groupSize, symmetric: quantised.symmetric }),
      ...(blocks && grid.kind === "blocks" && { grid: grid.type }),
      ...(fallback && { fallback: fallback.solver.name }),
      ...(input.factor?.summary.starved === "block" && { standIn: "block" }),
      ...(context.origins && { ...at(context.origins, index), output }),
    };
    return {
      block,
      site,
      tensor,
      summary,
      // what blocks decode to, they say themselves
      ...(blocks ? { blocks: plainData(count, blocks) } : { values: weightData(dtype, count, values) }),
      ...(mask && { mask: maskData(count, mask) }),
      ...(quantised && {
        codes: plainData(count, part(quantised.codes)),
        scales: plainData(count, part(quantised.scales)),
        zeros: plainData(count, part(quantised.zeros)),
        groups: plainData(1, quantised.groupOf),
      }),
      ...(blocks && order && { blockColumns: plainData(1, order) }),
      ...(solution.inputScale && { inputScale: plainData(1, solution.inputScale) }),
    };
  });
}
