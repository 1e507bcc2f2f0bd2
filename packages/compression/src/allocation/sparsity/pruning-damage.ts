import { encodeAllocation, isReadSite, parseMetadata, readFactors, embeddingsBlock, type FactorRecord } from "@mbs/artifacts";
import {
  at,
  BadDataError,
  InterruptedError,
  parseOptions,
  type ArtifactStream,
  type OptionTable,
  type OptionValues,
  type StageContext,
} from "@mbs/contracts";
import type { Model } from "@mbs/models";
import { createBlas } from "@mbs/onnx";
import { loadSolver, pruningErrors, type LanguageInputs } from "@mbs/solvers";
import { readSite } from "../../site/site-weight.ts";
import { lacksSite, requireFactors, type AllocationInputs, type AllocationMethod } from "../allocation-method.ts";
import { chooseLeast } from "../choice-program.ts";
import { averageOption, languageCosts, mixed, requireAverage } from "../language-costs.ts";
import { solveAlone } from "../lone-tensor.ts";
import {
  comparedPositions,
  measureOutputChange,
  passes,
  pricesOf,
  type OutputChanges,
  type Perturbation,
  type Prices,
} from "../output-change.ts";
import { sparsityOption } from "./sparsity-method.ts";

/** Sparsities to choose from are so far apart: damage changes little between two of them. */
const spacing = 0.05;

/** Of a tensor: with less than a twentieth of its weights it is nearly gone, and damage says little. */
const mostSparse = 0.95;

const options = {
  average: averageOption,
  spread: {
    kind: "share",
    description: "how far the sparsity of a tensor may be from that of all",
    default: 0.2,
    maximum: 0.95,
  },
} as const satisfies OptionTable;

const parsed = { ...sparsityOption, ...options };

/** Multiples of the spacing around the target, and the target itself; rising. */
export function sparsityChoices(target: number, spread: number): number[] {
  const within = (value: number): boolean => Math.abs(value - target) <= spread + 1e-9 && value <= mostSparse;
  const multiples = Array.from({ length: Math.round(1 / spacing) }, (_, index) => Number((index * spacing).toFixed(2)));
  return [...new Set([...multiples.filter(within), target])].sort((a, b) => a - b);
}

/** What is known of a tensor. */
interface MeasuredTensor {
  readonly block: string;
  readonly tensor: string;
  readonly parameters: number;
  /** E[x²] of its inputs in the mix. */
  readonly diagonal: Float32Array;
  /** Language → the relative output error at each of the choices. */
  readonly errors: ReadonlyMap<string, readonly number[]>;
}

const languagesOf = ({ diagonal, languageDiagonals }: FactorRecord): LanguageInputs =>
  languageDiagonals ? new Map(languageDiagonals.map(({ language, values }) => [language, values])) : new Map([[mixed, diagonal]]);

async function measureTensors(
  model: Model,
  inputs: AllocationInputs,
  choices: readonly number[],
  { signal, progress }: StageContext,
): Promise<MeasuredTensor[]> {
  const tensors: MeasuredTensor[] = [];
  let sites = 0;
  for await (const record of readFactors(requireFactors(inputs))) {
    if (signal.aborted) throw new InterruptedError("allocate: stopped");
    const { block, site, diagonal } = record;
    // embedding and head have bits, and no sparsity
    if (!isReadSite(site) || block === embeddingsBlock) continue;
    const { weight } = await readSite(model, record);
    for (const part of weight.parts) {
      const errors = pruningErrors(weight, part, diagonal, languagesOf(record), choices);
      tensors.push({ block, tensor: part.tensor, parameters: part.rows * weight.columns, diagonal, errors });
    }
    sites += 1;
    progress({ activity: "allocate (pruning-damage)", done: sites, unit: "sites" });
  }
  if (tensors.length === 0) throw new BadDataError("allocate: the factors hold no site; factor again");
  requireAll(model, tensors);
  return tensors;
}

/** How the model's output changes with each tensor where that alone is pruned to the target, as Wanda does. */
async function measurePruning(
  model: Model,
  segments: ArtifactStream,
  tensors: readonly MeasuredTensor[],
  sparsity: number,
  context: StageContext,
): Promise<OutputChanges> {
  const { threads, pool, signal, warn } = context;
  const [solver, blas] = [await loadSolver("wanda"), createBlas({ threads, pool })];
  const diagonals = new Map(tensors.map(({ tensor, diagonal }) => [tensor, diagonal]));
  const options = { sparsity, useVariant: false };
  const prune: Perturbation = (weight) =>
    solveAlone({ solver, statistics: { diagonal: diagonals.get(weight.tensor) }, options, grid: { kind: "none" } }, weight, {
      blas,
      signal,
      warn,
    });
  try {
    return await measureOutputChange(model, segments, new Set(diagonals.keys()), prune, context);
  } finally {
    await blas.release();
  }
}

/** @throws {BadDataError} where the factors lack a site, whose tensors would get no sparsity */
function requireAll({ blocks, checkpoint }: Model, tensors: readonly MeasuredTensor[]): void {
  const measured = new Set(tensors.map(({ tensor }) => tensor));
  const weights = blocks.flatMap(({ sites }) => sites.flatMap((site) => site.weights));
  const missing = weights.find(({ tensor }) => !measured.has(tensor) && !checkpoint.nonfinite.has(tensor));
  if (missing !== undefined) throw lacksSite(missing.tensor);
}

/** What a unit of relative output error of each tensor costs each language; the same of all where no texts were given. */
async function measurePrices(
  model: Model,
  segments: AllocationInputs["segments"],
  tensors: readonly MeasuredTensor[],
  choices: readonly number[],
  target: number,
  context: StageContext,
): Promise<Prices> {
  if (segments === undefined) return () => 1;
  const changes = await measurePruning(model, segments, tensors, target, context);
  const place = choices.indexOf(target);
  const caused = tensors.map(({ tensor, errors }) => {
    const own = [...errors].map(([language, values]) => [language, at(values, place)] as const);
    return [tensor, new Map(own)] as const;
  });
  return pricesOf(changes, new Map(caused));
}

/** Sparsities whose mean over all weights is exactly the target: all are lowered alike, but to no less than 0. */
export function withMean<Row extends { readonly parameters: number; readonly sparsity: number }>(
  rows: readonly Row[],
  target: number,
): Row[] {
  const total = (of: readonly Row[], value: (row: Row) => number): number => of.reduce((sum, row) => sum + value(row), 0);
  const pruned = target * total(rows, ({ parameters }) => parameters);
  const lower = (sparse: readonly Row[]): Row[] => {
    if (sparse.length === 0) return rows.map((row) => ({ ...row, sparsity: 0 }));
    const excess = total(sparse, ({ parameters, sparsity }) => parameters * sparsity) - pruned;
    const less = excess / total(sparse, ({ parameters }) => parameters);
    const left = sparse.filter(({ sparsity }) => sparsity > less);
    if (left.length < sparse.length) return lower(left);
    return rows.map((row) => ({ ...row, sparsity: row.sparsity > 0 ? Math.max(0, row.sparsity - less) : 0 }));
  };
  return lower(rows.filter(({ sparsity }) => sparsity > 0));
}

async function allocateTensors(
  model: Model,
  inputs: AllocationInputs,
  { sparsity: target, average, spread }: OptionValues<typeof parsed>,
  context: StageContext,
) {
  const choices = sparsityChoices(target, spread);
  const tensors = await measureTensors(model, inputs, choices, context);
  const { weights } = parseMetadata("factors", requireFactors(inputs).schema);
  for (const { errors } of tensors) requireAverage(average, [...errors.keys()], weights, "factor with --language-diagonals");
  const prices = await measurePrices(model, inputs.segments, tensors, choices, target, context);
  const units = tensors.map((tensor) => {
    const languages = [...tensor.errors.keys()];
    return {
      choices: choices.map((sparsity, place) => ({
        name: String(sparsity),
        size: (1 - sparsity) * tensor.parameters,
        costs: languageCosts(
          average,
          languages,
          weights,
          [...tensor.errors].map(([language, own]) => prices(tensor.tensor, language) * at(own, place)),
        ),
      })),
    };
  });
  const kept = (1 - target) * tensors.reduce((sum, { parameters }) => sum + parameters, 0);
  // rounding of the sums must not exclude the target everywhere
  const chosen = await chooseLeast(units, kept * (1 + 1e-9));
  const rows = tensors.map(({ block, tensor, parameters }, index) => {
    const place = at(chosen, index);
    const { costs } = at(at(units, index).choices, place);
    return { block, tensor, parameters, importance: Math.max(...costs), sparsity: at(choices, place) };
  });
  return { rows: withMean(rows, target), weights };
}

/** Sparsity of each tensor by the damage that pruning it does to each language. */
export const pruningDamage: AllocationMethod = {
  name: "pruning-damage",
  source: "docs/multilingual-pruning.md",
  summary: "the sparsity of each tensor that does the least measured damage to the languages, at that mean",
  needs: { chooses: "sparsity", statistics: "diagonal", segments: true },
  options,
  // masks cost little beside passes
  work: () => ({ solver: "wanda", options: {}, grids: [], rows: 0, passes, comparisons: comparedPositions }),
  async allocate(model, inputs, raw, context) {
    try {
      const values = parseOptions(parsed, raw, "allocate --method pruning-damage");
      const { sparsity, ...own } = values;
      const { rows, weights } = await allocateTensors(model, inputs, values, context);
      return encodeAllocation(rows, { model: model.address, method: "pruning-damage", options: own, sparsity, weights });
    } finally {
      await model.close();
    }
  },
};
