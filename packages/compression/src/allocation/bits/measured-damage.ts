import { headSite, isReadSite, readFactors, embeddingsBlock, type FactorRecord } from "@mbs/artifacts";
import { at, BadDataError, InterruptedError, parseOptions, type ArtifactStream, type Blas, type Solver } from "@mbs/contracts";
import { requireEmbeddings } from "@mbs/models";
import { createBlas } from "@mbs/onnx";
import { loadSolver, type InputMoment } from "@mbs/solvers";
import { siteMoment } from "../../site/site-statistics.ts";
import { readSite } from "../../site/site-weight.ts";
import { lacksSite, requireFactors } from "../allocation-method.ts";
import { mixed, requireLanguages } from "../language-costs.ts";
import { solveAlone } from "../lone-tensor.ts";
import { measureOutputChange, pricesOf, type OutputChanges, type Perturbation } from "../output-change.ts";
import type { BitRequest } from "./bit-method.ts";
import { measureSite, type TensorDamage } from "./choice-damage.ts";
import { measureEmbeddings, type EmbeddingsDamage, type EmbeddingsMoments } from "./embeddings-damage.ts";
import { readLanguageMoments, type LanguageMoments } from "./language-moments.ts";
import { choiceNamed, namesOf } from "./storage-choices.ts";

/** Name of the choice that a tensor is rounded to where the change of the model's output is measured. */
const trialName = "trial";

/** The damage of all choices. */
export interface MeasuredDamage {
  readonly languages: readonly string[];
  /**
   * tr(ΔW·H·ΔWᵀ) / tr(W·H·Wᵀ) of a choice for a tensor, with H of the language; with segments this times what a unit of it costs
   * the language, so that all are nats a token.
   *
   * @throws {BadDataError} where the factors lack the tensor's site
   */
  readonly damageOf: (tensor: string, name: string, language: string) => number;
}

/** What factors and statistics say of embedding and head, which come behind the last block. */
interface EmbeddingsSources {
  head?: FactorRecord;
  readonly moments: Map<string, LanguageMoments["moments"]>;
}

/**
 * The sites of factors with what is known of each language there.
 *
 * @param embeddings takes what is known of embedding and head, when all sites have been read
 * @throws {BadDataError} where statistics are not those of the factors
 */
async function* sitesOf(
  { inputs, context }: BitRequest,
  embeddings: EmbeddingsSources,
): AsyncGenerator<{ factor: FactorRecord; moments: LanguageMoments["moments"] }> {
  const languages = inputs.statistics && readLanguageMoments(inputs.statistics)[Symbol.asyncIterator]();
  for await (const factor of readFactors(requireFactors(inputs))) {
    if (context.signal.aborted) throw new InterruptedError("allocate: stopped");
    const { block, site, width } = factor;
    if (block === embeddingsBlock && site === headSite) embeddings.head = factor;
    if (!isReadSite(site) || block === embeddingsBlock) continue;
    if (languages === undefined) {
      yield { factor, moments: new Map<string, InputMoment>([[mixed, siteMoment({ block, site, width, factor }).values]]) };
      continue;
    }
    const found = (await languages.next()).value as LanguageMoments | undefined;
    if (found?.block !== block || found.site !== site) {
      throw new BadDataError(`${block} ${site}: the statistics go on with another site; give those that the factors are of`, {
        block,
        site,
      });
    }
    requireLanguages(factor, [...found.moments.keys()], factor.summary.weights);
    yield { factor, moments: found.moments };
  }
  for (let rest = await languages?.next(); rest?.done === false; rest = await languages?.next()) {
    const { block, site, moments } = rest.value;
    if (block === embeddingsBlock) embeddings.moments.set(site, moments);
  }
}

/** Options that only cost time. */
export const quick = { sweeps: 0, qep: 0 };

/** A solver's options, with its defaults but for those that only cost time. */
function quickOptions({ name, options }: Solver): Readonly<Record<string, unknown>> {
  const known = Object.entries(quick).filter(([option]) => Object.hasOwn(options, option));
  return parseOptions(options, Object.fromEntries(known), name);
}

/** How the model's output changes with each tensor where that is rounded alone. */
function measureRounding(
  { model, tensors, trial, context }: BitRequest,
  segments: ArtifactStream,
  solver: Solver,
  blas: Blas,
): Promise<OutputChanges> {
  const task = { solver, statistics: {}, options: quickOptions(solver), grid: trial };
  const { signal, warn } = context;
  const round: Perturbation = (weight) => solveAlone(task, weight, { blas, signal, warn });
  return measureOutputChange(model, segments, new Set(tensors.map(({ tensor }) => tensor)), round, context);
}

/** A tensor of embedding or head, with what its choices and its trial do. */
interface MeasuredEmbeddings {
  readonly damage: EmbeddingsDamage;
  readonly trial: EmbeddingsDamage;
}

/** Embedding and head, where they are among what is chosen for. @throws {BadDataError} where factors or statistics say nothing of them */
async function measureTables(
  { model, tensors, trial, context: { signal, warn } }: BitRequest,
  { head, moments }: { readonly head?: FactorRecord; readonly moments: EmbeddingsMoments },
  rows: number,
  [gptq, rtn]: readonly [Solver, Solver],
  blas: Blas,
): Promise<ReadonlyMap<string, MeasuredEmbeddings>> {
  const found = new Map<string, MeasuredEmbeddings>();
  for (const { block, site, tensor, choices } of tensors) {
    if (block !== embeddingsBlock) continue;
    const embeddings = requireEmbeddings(model);
    const solver = site === headSite && head?.upper !== undefined ? gptq : rtn;
    const measure = async (by: Solver, own: Parameters<typeof measureEmbeddings>[0]["choices"]): Promise<EmbeddingsDamage> => {
      const all = { solver: by, options: quickOptions(by), choices: own, rows };
      return measureEmbeddings(all, model, embeddings, site, moments, by === rtn ? undefined : head, { blas, signal, warn });
    };
    const all = namesOf(choices).map((name) => choiceNamed(choices, name));
    const tried = await measure(rtn, [{ name: trialName, grid: trial }]);
    found.set(tensor, { damage: await measure(solver, all), trial: tried });
  }
  return found;
}

/**
 * Measures the damage of all choices: by `gptq` without sweeps where the factors have their upper matrix, by `rtn` where not.
 *
 * @param mostRows of a tensor that are measured; 0 for all
 */
export async function measureDamage(request: BitRequest, mostRows: number): Promise<MeasuredDamage> {
  const { model, inputs, tensors, context } = request;
  const { signal, warn, progress, threads, pool } = context;
  const blas = createBlas({ threads, pool });
  try {
    const [gptq, rtn] = [await loadSolver("gptq"), await loadSolver("rtn")];
    const rows = mostRows === 0 ? Infinity : mostRows;
    const choices = new Map<string, TensorDamage>();
    const trials = new Map<string, TensorDamage>();
    const grids = new Map(
      tensors.map(({ block, site, choices: own }) => [
        JSON.stringify([block, site]),
        namesOf(own).map((name) => choiceNamed(own, name)),
      ]),
    );
    let sites = 0;
    const sources: EmbeddingsSources = { moments: new Map() };
    for await (const { factor, moments } of sitesOf(request, sources)) {
      const { weight } = await readSite(model, factor);
      const solver = factor.upper ? gptq : rtn;
      const own = grids.get(JSON.stringify([factor.block, factor.site]));
      if (weight.rows > 0 && own !== undefined) {
        const all = { solver, options: quickOptions(solver), choices: own, rows };
        for (const found of await measureSite(all, weight, factor, moments, { blas, signal, warn }))
          choices.set(found.tensor, found);
        if (inputs.segments !== undefined) {
          const choice = { name: trialName, grid: request.trial };
          const trial = { solver: rtn, options: quickOptions(rtn), choices: [choice], rows };
          for (const found of await measureSite(trial, weight, factor, moments, { blas, signal, warn }))
            trials.set(found.tensor, found);
        }
      }
      sites += 1;
      progress({ activity: "allocate (damage)", done: sites, unit: "sites" });
    }
    const languages = [
      ...(at([...choices.values()], 0)
        .damage.values()
        .next()
        .value?.keys() ?? []),
    ];
    const tables = await measureTables(request, sources, rows, [gptq, rtn], blas);
    const changes = inputs.segments && (await measureRounding(request, inputs.segments, rtn, blas));
    const caused = new Map(
      [
        ...[...trials].map(([tensor, { damage }]) => [tensor, damage.get(trialName)] as const),
        ...[...tables].map(([tensor, { trial }]) => [tensor, trial.asEmbedding?.get(trialName)] as const),
      ].flatMap(([tensor, errors]) => (errors === undefined ? [] : [[tensor, errors] as const])),
    );
    const prices = changes && pricesOf(changes, caused);
    const ofTable = ({ damage }: MeasuredEmbeddings, tensor: string, name: string, language: string): number => {
      const asHead = damage.asHead?.get(name)?.get(language) ?? 0;
      const error = damage.asEmbedding?.get(name)?.get(language);
      return error === undefined || prices === undefined ? asHead : asHead + error * prices(tensor, language);
    };
    return {
      languages,
      damageOf(tensor, name, language) {
        const table = tables.get(tensor);
        if (table !== undefined) return ofTable(table, tensor, name, language);
        const damage = choices.get(tensor)?.damage.get(name)?.get(language);
        if (damage === undefined) throw lacksSite(tensor);
        return prices === undefined ? damage : damage * prices(tensor, language);
      },
    };
  } finally {
    await blas.release();
  }
}
