import { embeddingSite, headSite, tokenSites, embeddingsBlock, type FactorRecord } from "@mbs/artifacts";
import { at, BadDataError, type Solver, type SolverContext, type SolverStatistics } from "@mbs/contracts";
import type { Embeddings, Model } from "@mbs/models";
import { outputsByRow, withGrid, type InputMoment } from "@mbs/solvers";
import { siteStatistics } from "../../site/site-statistics.ts";
import { scaleDtypeOf } from "../../site/site-weight.ts";
import type { LanguageMoments } from "./language-moments.ts";
import type { SizedChoice } from "./storage-choices.ts";

/** Most rows of embedding or head that are measured, whatever the option says: the table may have a quarter of a million. */
const mostRows = 4096;

/** What each choice does to embedding or head: name of the choice → language → cost. */
export interface EmbeddingsDamage {
  /** Nats a token that errors of its rows cost as the head; absent where it is an embedding alone. */
  readonly asHead?: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** Relative squared error of the rows that are read, Σ f·|Δ|² / Σ f·|w|²; absent where it is a head alone. */
  readonly asEmbedding?: ReadonlyMap<string, ReadonlyMap<string, number>>;
}

/** How the choices of embedding and head are measured. */
export interface EmbeddingsMeasure {
  readonly solver: Solver;
  readonly options: Readonly<Record<string, unknown>>;
  readonly choices: readonly Pick<SizedChoice, "name" | "grid">[];
  readonly rows: number;
}

/** Statistics of embedding and head, by site. */
export type EmbeddingsMoments = ReadonlyMap<string, LanguageMoments["moments"]>;

/** Values of tokens in each language. @throws {BadDataError} where the statistics do not have them */
function tokenValues(moments: EmbeddingsMoments, site: string): ReadonlyMap<string, Float32Array> {
  const found = [...(moments.get(site) ?? [])].flatMap(([language, moment]) =>
    "diagonal" in moment ? [[language, moment.diagonal] as const] : [],
  );
  if (found.length > 0) return new Map(found);
  throw new BadDataError("the statistics say nothing of embedding and head; capture with --embeddings, or allocate without");
}

const sumOf = (values: Iterable<number>): number => {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
};

/** Some rows, each of which stands for `weights` rows like it. */
interface DrawnRows {
  readonly rows: Int32Array;
  readonly weights: Float64Array;
}

/**
 * Draws rows by what they cost, all languages counted alike: systematic sampling, so that a sum over the drawn rows, times their
 * weights, is near to that over all. Few tokens have nearly all of the cost.
 *
 * @param costs by row, of each language and use
 */
export function drawRows(costs: readonly Float32Array[], most: number): DrawnRows {
  const length = at(costs, 0).length;
  const shares = new Float64Array(length);
  for (const own of costs) {
    const sum = sumOf(own);
    if (sum > 0) for (let row = 0; row < length; row += 1) shares[row] = at(shares, row) + at(own, row) / sum / costs.length;
  }
  const total = sumOf(shares);
  const drawn = new Map<number, number>();
  let [passed, row] = [0, -1];
  const draws = total > 0 ? most : 0;
  for (let draw = 0; draw < draws; draw += 1) {
    const wanted = ((draw + 0.5) / most) * total;
    while (passed <= wanted && row < length - 1) {
      row += 1;
      passed += at(shares, row);
    }
    drawn.set(row, (drawn.get(row) ?? 0) + total / (most * at(shares, row)));
  }
  return { rows: Int32Array.from(drawn.keys()), weights: Float64Array.from(drawn.values()) };
}

/** Sum over drawn rows of what an error costs. */
const weighted = ({ rows, weights }: DrawnRows, costs: Float32Array, errors: ArrayLike<number>): number =>
  sumOf(weights.map((weight, place) => weight * at(costs, at(rows, place)) * at(errors, place)));

/** Squared length of each row. */
function squares(values: Float32Array, columns: number): Float64Array {
  const sums = new Float64Array(values.length / columns);
  for (const [index, value] of values.entries()) {
    const row = Math.floor(index / columns);
    sums[row] = at(sums, row) + value * value;
  }
  return sums;
}

/**
 * What each choice for embedding or head costs each language. To second order an error Δ of the row of token t costs ½·cₜ·ΔᵀHΔ nats
 * as the head, and f·|Δ|² counts as the embedding: docs/measured/vocabulary.md, one unit of loss.
 *
 * @param site one of the embeddings
 * @param factor of the head, whose order and triangular matrix its rows are solved with
 * @throws {BadDataError} where statistics lack what they should say
 */
export async function measureEmbeddings(
  { solver, options: given, choices, rows: most }: EmbeddingsMeasure,
  model: Model,
  { isTied, sites }: Embeddings,
  site: string,
  moments: EmbeddingsMoments,
  factor: FactorRecord | undefined,
  context: SolverContext,
): Promise<EmbeddingsDamage> {
  const { width: columns, weights } = at(
    sites.filter((own) => own.name === site),
    0,
  );
  const { tensor } = at(weights, 0);
  const spread = site === headSite ? tokenValues(moments, tokenSites.spread) : undefined;
  const reads = site === embeddingSite || isTied ? tokenValues(moments, tokenSites.reads) : undefined;
  const drawn = drawRows([...(spread?.values() ?? []), ...(reads?.values() ?? [])], Math.min(most, mostRows));
  const values = await model.checkpoint.readRowsF32(tensor, drawn.rows);
  const dtypes = [model.checkpoint.info(tensor).dtype ?? model.dtype];
  const parts = [{ tensor, firstRow: 0, rows: drawn.rows.length }];
  const weight = { rows: drawn.rows.length, columns, values, parts, scalable: false, scaleDtype: scaleDtypeOf(model, dtypes) };
  const options = given as Parameters<typeof solver.solve>[2];
  const needs = solver.reads?.(options) ?? solver.needs;
  const input = { block: embeddingsBlock, site, width: columns, ...(factor && { factor }) };
  const statistics = siteStatistics(input, needs) as SolverStatistics;
  const sizes = squares(values, columns);
  const asHead = new Map<string, Map<string, number>>();
  const asEmbedding = new Map<string, Map<string, number>>();
  for (const { name, grid } of choices) {
    const own = withGrid(grid, { ...weight, values: values.slice() });
    const solution = await solver.solve(own, statistics, options, context);
    const change = values.map((value, index) => value - at(solution.values, index));
    if (spread !== undefined) {
      const costs = new Map<string, number>();
      for (const [language, moment] of moments.get(headSite) ?? new Map<string, InputMoment>()) {
        const errors = at(await outputsByRow(context.blas, [change], drawn.rows.length, moment), 0);
        const ofTokens = spread.get(language);
        if (ofTokens === undefined) throw new BadDataError(`the statistics of tokens have none of ${language}; capture again`);
        costs.set(language, Math.max(0, weighted(drawn, ofTokens, errors) / 2));
      }
      asHead.set(name, costs);
    }
    if (reads !== undefined) {
      const errors = squares(change, columns);
      const relative = [...reads].map(([language, share]): [string, number] => {
        const size = weighted(drawn, share, sizes);
        return [language, size > 0 ? weighted(drawn, share, errors) / size : 0];
      });
      asEmbedding.set(name, new Map(relative));
    }
  }
  return { ...(spread && { asHead }), ...(reads && { asEmbedding }) };
}
