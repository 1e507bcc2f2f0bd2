import type { FactorRecord } from "@mbs/artifacts";
import { at, BadDataError, type SiteWeight, type Solver, type SolverContext, type SolverStatistics } from "@mbs/contracts";
import { outputsByRow, solverFailure, withGrid, type InputMoment } from "@mbs/solvers";
import { siteStatistics } from "../../site/site-statistics.ts";
import { subtractWritten, sumFrom } from "../../site/tensor-data.ts";
import type { SizedChoice } from "./storage-choices.ts";

/** What each choice does to one tensor. */
export interface TensorDamage {
  readonly block: string;
  readonly site: string;
  readonly tensor: string;
  readonly rows: number;
  readonly columns: number;
  /** Name of the choice → language → tr(ΔW·H·ΔWᵀ) / tr(W·H·Wᵀ) with H of the language, dimensionless; 0 where there is no output. */
  readonly damage: ReadonlyMap<string, ReadonlyMap<string, number>>;
}

/** How choices are measured. */
export interface DamageMeasure {
  readonly solver: Solver;
  readonly options: Readonly<Record<string, unknown>>;
  readonly choices: readonly Pick<SizedChoice, "name" | "grid">[];
  /** Most rows of a tensor that are measured. */
  readonly rows: number;
}

/** Rows of each tensor, spread evenly over it: the first row of each of `most` equal ranges. */
function sampleRows(weight: SiteWeight, most: number): SiteWeight {
  const { columns, values, parts } = weight;
  if (parts.every(({ rows }) => rows <= most)) return weight;
  const counts = parts.map(({ rows }) => Math.min(rows, most));
  const total = counts.reduce((sum, count) => sum + count, 0);
  const sampled = new Float32Array(total * columns);
  let next = 0;
  const own = parts.map((part, index) => {
    const count = at(counts, index);
    const firstRow = next;
    for (let place = 0; place < count; place += 1) {
      const row = part.firstRow + Math.floor((place * part.rows) / count);
      sampled.set(values.subarray(row * columns, (row + 1) * columns), next * columns);
      next += 1;
    }
    return { ...part, firstRow, rows: count };
  });
  return { ...weight, rows: total, values: sampled, parts: own };
}

/** Output of each part of a weight in each language: language → tr(M·H·Mᵀ) of each part. */
async function outputsOf(
  { blas }: SolverContext,
  { rows, parts }: SiteWeight,
  values: Float32Array,
  moments: ReadonlyMap<string, InputMoment>,
): Promise<Map<string, readonly number[]>> {
  const found = new Map<string, readonly number[]>();
  for (const [language, moment] of moments) {
    const byRow = at(await outputsByRow(blas, [values], rows, moment), 0);
    found.set(
      language,
      // rounding can make an error of 0 slightly negative
      parts.map(({ firstRow, rows: own }) => Math.max(0, sumFrom(byRow, firstRow, own))),
    );
  }
  return found;
}

/**
 * The relative output error that each choice causes in each tensor of a site, in each language.
 *
 * @param weight of the site
 * @param moments of each language, at least one
 * @throws {BadDataError} where the factor lacks what the solver needs, or an error overflows
 */
export async function measureSite(
  { solver, options: given, choices, rows }: DamageMeasure,
  weight: SiteWeight,
  factor: FactorRecord,
  moments: ReadonlyMap<string, InputMoment>,
  context: SolverContext,
): Promise<TensorDamage[]> {
  const { block, site, width } = factor;
  const sample = sampleRows(weight, rows);
  const outputs = await outputsOf(context, sample, sample.values, moments);
  const change = new Float32Array(sample.values.length);
  const damages = sample.parts.map(() => new Map<string, Map<string, number>>());
  const options = given as Parameters<typeof solver.solve>[2];
  const needs = solver.reads?.(options) ?? solver.needs;
  for (const { name, grid } of choices) {
    const statistics = siteStatistics({ block, site, width, factor }, needs) as SolverStatistics;
    const solution = await (async () => {
      try {
        const own = withGrid(grid, { ...sample, values: sample.values.slice() });
        return await solver.solve(own, statistics, options, context);
      } catch (thrown) {
        throw solverFailure(solver.name, `at ${block} ${site}`, thrown);
      }
    })();
    subtractWritten(change, sample.values, solution.values, solution.inputScale);
    for (const [language, errors] of await outputsOf(context, sample, change, moments)) {
      for (const [index, error] of errors.entries()) {
        const output = at(outputs.get(language) ?? [], index);
        const damage = output > 0 ? error / output : 0;
        if (!Number.isFinite(damage)) {
          const { tensor } = at(sample.parts, index);
          throw new BadDataError(
            `${tensor} at ${block} ${site}: its error in ${language} overflows float32; take the model from its source again`,
            { block, site, language },
          );
        }
        const own = at(damages, index);
        own.set(name, (own.get(name) ?? new Map<string, number>()).set(language, damage));
      }
    }
  }
  return weight.parts.map(({ tensor, rows: all }, index) => ({
    block,
    site,
    tensor,
    rows: all,
    columns: weight.columns,
    damage: at(damages, index),
  }));
}
