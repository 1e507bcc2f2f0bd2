import { encodeMixes } from "@mbs/artifacts";
import type { MixRecord } from "@mbs/artifacts";
import { InternalError, UsageError, parseOptions, splitOptions } from "@mbs/contracts";
import type { OptionTable, Stage, StageContext, StageInputs, StageOptions } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import { factorOptionsFor, readSolver } from "@mbs/solvers";
import type { MixStages } from "./mix-trial.ts";
import { recommendMix } from "./recommend-mix.ts";
import type { MixCost, Recommendation } from "./recommend-mix.ts";
import { poolStatistics, warnOfPool } from "./statistics-pool.ts";
import type { Selection } from "./statistics-pool.ts";
import { candidateMixes, findDistribution, parseStrategy, searchAmong } from "./strategy.ts";

const ownOptions = {
  strategy: {
    kind: "text",
    default: "minimax",
    placeholder: "NAME",
    description:
      "minimax (least damage to the worst language), target (by --importance), proportional, equal or temperature:ALPHA",
  },
  importance: {
    kind: "text",
    optional: true,
    placeholder: "LANG=NUMBER,…",
    description: "how much each language counts for target; 1 for those not named",
  },
  rounds: {
    kind: "integer",
    default: 8,
    minimum: 0,
    maximum: 1000,
    description: "maximum number of mixes that the search tries, each as much work as a compression and a prediction",
  },
  distribution: {
    kind: "resource",
    resource: "distribution",
    optional: true,
    description: "training mixture: a JSON file or the name of a preset (the model's distribution.json)",
  },
  block: { kind: "list", optional: true, placeholder: "BLOCK,…", description: "use these blocks only, which is cheaper" },
  site: { kind: "list", optional: true, placeholder: "SITE,…", description: "use these sites only, which is cheaper" },
} as const satisfies OptionTable;

/** Values of one table among those that were given. */
const valuesOf = (table: OptionTable, values: StageOptions): StageOptions =>
  Object.fromEntries(Object.entries(values).filter(([name]) => Object.hasOwn(table, name)));

const defined = (values: StageOptions): StageOptions =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));

/** The options of `factor` that a mix leaves open; without an order the solver's own is taken, as in `mbs run`. */
function factorOptions({ factor }: MixStages): OptionTable {
  const { mix: _, order, ...others } = factor.options;
  if (order === undefined) throw new InternalError("mix: stage factor has no option order");
  const { default: __, ...open } = order;
  return {
    ...others,
    order: { ...open, optional: true, description: `${order.description}; default: the solver's preferred order` },
  };
}

/** Parses what is for the mix itself and what is for the stages that it runs. */
async function parseAll(stages: MixStages, raw: unknown) {
  const given = (raw ?? {}) as StageOptions;
  const solverOptions = (await stages.compress.moreOptions?.(given)) ?? {};
  const tables = { factor: factorOptions(stages), compress: { ...stages.compress.options, ...solverOptions } };
  const clash = Object.keys(solverOptions).find((name) => Object.hasOwn({ ...ownOptions, ...tables.factor }, name));
  if (clash !== undefined) {
    const solver = String(given["solver"]);
    throw new UsageError(`mix: solver ${solver} declares an option ${clash}, which is the stage's own; rename it there`, {
      option: "--solver",
    });
  }
  const { own, rest } = splitOptions(ownOptions, { ...tables.factor, ...tables.compress }, raw, "mix");
  const {
    model,
    solver: name,
    ...compress
  } = parseOptions(tables.compress, valuesOf(tables.compress, rest), "mix") as StageOptions;
  const { solver, options, grid } = await readSolver(String(name), compress);
  const factor = parseOptions(tables.factor, factorOptionsFor(solver, options, grid, valuesOf(tables.factor, rest)), "mix");
  return {
    own,
    model: String(model),
    solver: solver.name,
    factor: defined(factor),
    compress: defined({ solver: name, ...compress }),
  };
}

function* recordsOf({ trials }: Recommendation): Generator<MixRecord> {
  for (const { name, round, mix, damages } of trials) {
    for (const [language, damage] of damages) yield { mix: name, round, language, weight: mix.get(language) ?? 0, damage };
  }
}

/** Path of a model; for one of the Hub its folder in the cache. */
async function pathOf(name: string, context: StageContext): Promise<string> {
  const model = await openModel(name, context);
  await model.close();
  return model.path;
}

/** Reads the statistics to mix, and those for predicting damage if they are others. */
async function openPools({ statistics = [], validation = [] }: StageInputs, selection: Selection, context: StageContext) {
  const [first] = statistics;
  if (first === undefined) throw new UsageError("mix: give it statistics");
  const pool = await poolStatistics(first, selection, context);
  warnOfPool(pool, context.warn);
  const [second] = validation;
  if (second === undefined) return { pool, judges: pool };
  try {
    return { pool, judges: await poolStatistics(second, selection, context) };
  } catch (error) {
    pool.artifact.close();
    throw error;
  }
}

/**
 * Stage `mix`: recommends calibration weights. It is made of other stages: each mix is factored, compressed and predicted from
 * the same capture.
 *
 * @param onCost called once with the cost of the search, which is not in the artifact: times differ from run to run
 */
export function createMix(stages: MixStages, onCost: (cost: MixCost) => void = () => undefined): Stage {
  return {
    name: "mix",
    summary: "Recommend calibration weights: by the worst language, by given importances, or a mix compared with others.",
    examples: [
      "mbs mix --model M --solver gptq --bits 3 --group-size 128 < statistics.arrow",
      "mbs mix --model M --solver sparsegpt --strategy target --importance hi=3,en=0 --json < statistics.arrow",
      "mbs mix --model M --block h.0,h.12 --rounds 4 < statistics.arrow > mixes.arrow",
    ],
    inputs: {
      statistics: { kinds: ["statistics"], description: "statistics of each language, of all blocks, from an equal pool" },
      validation: {
        kinds: ["statistics"],
        optional: true,
        description: "statistics of other texts, from which damage is predicted; default: the same",
      },
    },
    outputs: { mixes: { kind: "mixes", description: "every mix that was tried, with the predicted damage of each language" } },
    options: { ...ownOptions, ...factorOptions(stages), ...stages.compress.options },
    ...(stages.compress.moreOptions && { moreOptions: stages.compress.moreOptions }),
    ...(stages.compress.moreOptionsBy && { moreOptionsBy: stages.compress.moreOptionsBy }),
    async run(inputs, raw, context) {
      const { own, model, solver, factor, compress } = await parseAll(stages, raw);
      const strategy = parseStrategy(own.strategy, own.importance);
      const distribution = await findDistribution(own.distribution, await pathOf(model, context));
      const embeddings = (compress["embeddings"] ?? "off") !== "off";
      const { pool, judges } = await openPools(inputs, { ...own, embeddings }, context);
      try {
        const languages = [...pool.tokens.keys()];
        const search = strategy.search && searchAmong(languages, strategy.search);
        const candidates = await candidateMixes(strategy, languages, distribution, context.warn);
        const setting = { stages, model, pool, judges, options: { factor, compress } };
        const found = await recommendMix(setting, { name: strategy.name, search, candidates, rounds: own.rounds }, context);
        onCost(found.cost);
        const { solver: _, ...settings } = compress;
        const shares = [...(distribution?.shares ?? [])].filter(([language]) => pool.tokens.has(language));
        const metadata = {
          model: pool.model,
          solver,
          options: { ...factor, ...settings },
          strategy: strategy.name,
          recommended: found.best.name,
          ended: found.ended,
          tensors: found.tensors,
          importance: search?.kind === "target" ? Object.fromEntries(search.importance) : undefined,
          shares: shares.length > 0 ? Object.fromEntries(shares) : undefined,
        };
        return { mixes: encodeMixes(recordsOf(found), metadata) };
      } finally {
        pool.artifact.close();
        if (judges !== pool) judges.artifact.close();
      }
    },
  };
}
