import { encodeLayers, parseMetadata, type LayerRecord } from "@mbs/artifacts";
import {
  InterruptedError,
  UsageError,
  parseOptions,
  parseShard,
  shardOption,
  splitOptions,
  InternalError,
  type Grid,
  type OptionTable,
  type Shards,
  type Solver,
  type SolverSetting,
  type Stage,
  type StageContext,
} from "@mbs/contracts";
import { fittingType, roundsNothing } from "@mbs/gguf";
import { openModel, requireCompressible, requireDense, requireFiniteWeights, requireVocabulary } from "@mbs/models";
import type { Model } from "@mbs/models";
import { createBlas } from "@mbs/onnx";
import { canSplitRows, dependentDefaults, loadSolver, solvers, vocabularyChoices, vocabularyOptions } from "@mbs/solvers";
import { readAllocated, type AllocatedChoices } from "./allocation/allocated-choices.ts";
import { openModelOf } from "./factored-model.ts";
import { RowThreads } from "./rows/row-threads.ts";
import { ScatteredRows } from "./rows/scattered-rows.ts";
import { scaledNorms } from "./site/scaled-norms.ts";
import type { SiteInput } from "./site/site-statistics.ts";
import { gridsOf } from "./site/site-grids.ts";
import { choiceGroups } from "./site/choice-groups.ts";
import { factoredSites, plainSites, type Work } from "./site/compressed-inputs.ts";
import { cutSite, readSite, type GridOf } from "./site/site-weight.ts";
import { solveSite } from "./site/solve-site.ts";
import type { SolverChoice } from "./site/solve-site.ts";
import { rangeOfVocabulary, solveVocabulary, vocabularyTensor } from "./site/vocabulary.ts";

const ownOptions = {
  model: { kind: "resource", resource: "model", description: "model whose weights are compressed" },
  solver: {
    kind: "code",
    builtIn: [...solvers.keys()],
    description: `${[...solvers.keys()].join(", ")}, a path such as ./mine.js, or an installed package`,
    default: "gptq",
  },
  withoutFactors: {
    kind: "flag",
    description: "compress all sites without statistics, for a solver that needs none (rtn, magnitude)",
    default: false,
  },
  rows: shardOption(
    "--rows",
    "compress a part of the rows of each site alone: 2/8 is the second of eight; mbs join-layers joins them (gptq, rtn)",
  ),
  vocabulary: {
    kind: "choice",
    choices: vocabularyChoices,
    default: "off",
    description:
      "round embedding and head too, which are left as they are by default: on, as the other weights are, or with bits or a GGUF type of their own; capture them too (gptq, rtn)",
  },
  allowNonfinite: { kind: "flag", description: "leave tensors with NaN or Inf uncompressed instead of stopping", default: false },
} as const satisfies OptionTable;

async function solverNamed(raw: Readonly<Record<string, unknown>>): Promise<Solver> {
  const name = raw["solver"] ?? ownOptions.solver.default;
  if (typeof name !== "string") throw new UsageError("compress: --solver takes a text", { option: "--solver" });
  const solver = await loadSolver(name);
  const clash = Object.keys(solver.options).find((option) => Object.hasOwn(ownOptions, option));
  if (clash === undefined) return solver;
  throw new UsageError(`solver ${solver.name} declares an option ${clash}, which is the stage's own; rename it there`, {
    option: "--solver",
  });
}

/** A stage that runs by itself does not know where its layers go, nor whether all factors have cross-moments. */
const alone: SolverSetting = { zeroPoints: "any", crossMoments: false };

/** Splits the options between the stage and the solver, and parses both. */
async function parseChoice(options: unknown) {
  const raw = (options ?? {}) as Readonly<Record<string, unknown>>;
  const solver = await solverNamed(raw);
  const { own, rest } = splitOptions(ownOptions, solver.options, options, "compress");
  const given = parseOptions(solver.options, rest, solver.name);
  if (own.withoutFactors && solver.needs.length > 0) {
    throw new UsageError(
      `solver ${solver.name} needs statistics (${solver.needs.join(", ")}); give compress factors instead of --without-factors`,
      { option: "--without-factors", solver: solver.name },
    );
  }
  const rowParts = parseShard(own.rows, "--rows");
  if (rowParts !== undefined && !(await canSplitRows(solver))) {
    throw new UsageError(`solver ${solver.name} chooses for all rows of a site together; leave out --rows`, {
      option: "--rows",
      solver: solver.name,
    });
  }
  return { own, given: { solver, options: given } satisfies SolverChoice, rowParts };
}

/**
 * The solver of embedding and head.
 *
 * @param allocated absent without an allocation
 * @param choice value of --vocabulary
 * @returns undefined where they stay as they are
 * @throws {UsageError} where they are to be as the other weights are, which have different bits, by a mixture that rounds nothing, or the solver cannot round them so
 */
function vocabularyChoice(
  { solver, options }: SolverChoice,
  allocated: AllocatedChoices | undefined,
  choice: string,
): SolverChoice | undefined {
  const like = allocated === undefined ? options : allocated.ofVocabulary?.options;
  if (like === undefined && choice === "on") {
    throw new UsageError(
      "compress: --vocabulary on is as the other weights are, which an allocation gives different bits; give it bits, such as 4",
      { option: "--vocabulary" },
    );
  }
  const mixture = choice === "on" ? like?.["mixture"] : undefined;
  if (typeof mixture === "string" && roundsNothing(mixture)) {
    throw new UsageError(
      `compress: --vocabulary on takes the types of ${mixture}, which the allocation is for, and these round nothing; allocate with another --mixture, such as Q4_K_M, or leave out --vocabulary`,
      { option: "--vocabulary" },
    );
  }
  const asked = vocabularyOptions(solver, (like ?? options) as Parameters<typeof vocabularyOptions>[1], choice);
  return asked && { solver, options: { ...asked, ...dependentDefaults(solver, asked, alone) } };
}

/**
 * Norms and other tensors that no solver changes, which `capture` has read where there are factors: better refused before the
 * solver's work than by `assemble` after it.
 *
 * @throws {BadDataError} on NaN or Inf, with tensor and index
 */
async function requireFiniteRest(model: Model): Promise<void> {
  const changed = new Set(
    model.steps.flatMap(({ sites }) => sites.flatMap(({ weights }) => weights.map(({ tensor }) => tensor))),
  );
  await requireFiniteWeights(
    model,
    [...model.reads].filter((tensor) => !changed.has(tensor)),
  );
}

/** The grids of embedding and head. */
async function requiredGrids(choice: SolverChoice, model: Model): Promise<GridOf> {
  const grids = await gridsOf(choice, model);
  if (grids === undefined) throw new InternalError(`solver ${choice.solver.name} rounds embedding and head to no grid`);
  return grids;
}

/** What factors say of order and mix, where there are none. */
const uncalibrated = { order: "natural", weights: {} };

/** What sites are solved with. */
interface Choices {
  readonly solver: Solver;
  readonly choiceOf: (step: string, tensor: string) => SolverChoice;
  /** The block type of GGUF that all were asked to be rounded to, if any. */
  readonly blockType: unknown;
  /** What each weight is rounded to; undefined where nothing is. */
  readonly gridOf: GridOf | undefined;
  /** Of embedding and head; undefined where they stay as they are. */
  readonly vocabulary: (SolverChoice & { readonly gridOf: GridOf }) | undefined;
}

/** Says once a width that rows are no whole blocks of the type that was asked for. */
function fallbackTeller(warn: (message: string) => void) {
  const told = new Set<string>();
  return (wanted: unknown, columns: number, taken: Grid | undefined): void => {
    const key = `${String(wanted)} ${columns}`;
    if (typeof wanted !== "string" || taken?.kind !== "blocks" || taken.type === wanted || told.has(key)) return;
    warn(`weights of ${columns} columns take ${taken.type}, since these are no whole blocks of ${wanted}`);
    told.add(key);
  };
}

/** @throws {UsageError} where tensors of one site have different choices, and one of them wants the site's input scaled */
function refuseScale({ step, site }: SiteInput, { summary }: LayerRecord): never {
  throw new UsageError(
    `solver ${summary.solver} scales the input of ${step} ${site}, whose tensors have different bits, and each would scale it its own way; allocate with --unit site, or take a solver that does not scale`,
    { step, site },
  );
}

async function* compressAll(
  inputs: AsyncIterable<Work> | Iterable<Work>,
  model: Model,
  { solver, choiceOf, blockType, gridOf, vocabulary }: Choices,
  rowParts: Shards | undefined,
  { signal, warn, progress, threads, pool }: StageContext,
): AsyncGenerator<LayerRecord> {
  const blas = createBlas({ threads, pool });
  const rowThreads = threads > 1 ? RowThreads.take(threads, pool) : undefined;
  let sites = 0;
  let fallbacks = 0;
  let scattered: ScatteredRows | undefined;
  const tellFallback = fallbackTeller(warn);
  const tellPlain = (tensor: string, columns: number): void =>
    warn(
      // all types of blocks have one of 32 columns that they fall back to
      fittingType("Q8_0", columns).plain === undefined
        ? `the mixture does not round tensor ${tensor}; it stays uncompressed`
        : `tensor ${tensor} has ${columns} columns, no whole blocks; it stays uncompressed`,
    );
  try {
    for await (const input of inputs) {
      if (signal.aborted) throw new InterruptedError("compress: stopped");
      const { rows } = input;
      if (rows !== undefined && vocabulary !== undefined) {
        const onRows = (done: number, total: number): void =>
          progress({ activity: `compress the ${input.site}`, done, total, unit: "rows" });
        const context = { blas, signal, warn, rowThreads, onRows };
        const { tensor } = vocabularyTensor(model, input);
        const grid = vocabulary.gridOf(input.step, tensor, input.width);
        if (grid.kind === "none") {
          if (rows.isLast) tellPlain(tensor, input.width);
          continue;
        }
        tellFallback(vocabulary.options["grid"], input.width, grid);
        scattered ??= new ScatteredRows(rangeOfVocabulary(model, input, rowParts));
        await solveVocabulary(model, input, { choice: vocabulary, grid, ...rows }, scattered, context);
        if (!rows.isLast) continue;
        const layer = scattered.finish(rowParts !== undefined);
        scattered = undefined;
        if (layer !== undefined) yield layer;
        continue;
      }
      const loaded = await readSite(model, input, gridOf);
      const cut = rowParts === undefined ? loaded : cutSite(loaded, rowParts);
      for (const tensor of cut.skipped) warn(`tensor ${tensor} has NaN or Inf and stays uncompressed`);
      for (const tensor of cut.unblocked) tellPlain(tensor, input.width);
      tellFallback(blockType, input.width, cut.weight.parts[0]?.grid);
      const groups = cut.weight.rows > 0 ? choiceGroups(cut, (tensor) => choiceOf(input.step, tensor)) : [];
      for (const [index, { choice, site }] of groups.entries()) {
        const { weight, dtypes, scaledBy, origins } = site;
        const context = { blas, signal, warn, rowThreads, origins };
        const layers = await solveSite(choice, weight, dtypes, input, context);
        const [first] = layers;
        if (groups.length > 1 && first?.inputScale !== undefined) refuseScale(input, first);
        if (index === 0 && first?.summary.fallback !== undefined) fallbacks += 1;
        yield* layers;
        if (first) yield* await scaledNorms(model, first, scaledBy);
      }
      sites += 1;
      progress({ activity: `compress (${solver.name})`, done: sites, unit: "sites" });
    }
    if (fallbacks > 0) warn(`${fallbacks} of ${sites} sites had no factor and were compressed by a simpler method`);
  } finally {
    await blas.release();
    await rowThreads?.giveBack(pool);
    await model.close();
  }
}

/** Stage `compress`: factors and a model to layers, by any solver. */
export const compress: Stage = {
  name: "compress",
  summary: "Compress the weights of each site by a solver: quantise, prune, or both.",
  examples: [
    "mbs compress --model M --solver gptq --bits 3 --group-size 128 < factors.arrow > layers.arrow",
    "mbs compress --model M --solver gptq --grid Q4_K < factors.arrow > layers.arrow",
    "mbs compress --model M --solver sparsegpt --pattern 2:4 < factors.arrow > layers.arrow",
    "mbs compress --model M --solver wanda --allocation allocation.arrow < factors.arrow > layers.arrow",
    "mbs compress --model M --solver gptq --bits 3 --vocabulary 4 < factors.arrow > layers.arrow",
    "mbs compress --model M --solver gptq --mixture Q4_K_M --vocabulary on < factors.arrow > layers.arrow",
    "mbs compress --model M --solver gptq --group-size 64 --allocation bits.arrow < factors.arrow > layers.arrow",
    "mbs compress --model M --solver ./mine.js < factors.arrow > layers.arrow",
    "mbs compress --model M --solver rtn --bits 4 --without-factors > layers.arrow",
  ],
  inputs: {
    factors: { kinds: ["factors"], unless: "withoutFactors", description: "output of `mbs factor`" },
    allocation: {
      kinds: ["allocation"],
      optional: true,
      description:
        "output of `mbs allocate`: the sparsity of each step, or the bits or GGUF type of each tensor, for a solver with that option",
    },
  },
  outputs: { layers: { kind: "layers", description: "the compressed weights" } },
  options: ownOptions,
  moreOptions: async (raw) => (await solverNamed(raw)).options,
  moreOptionsBy: "solver",
  async checkPlan(raw) {
    const { own, given } = await parseChoice(raw);
    vocabularyChoice(given, undefined, own.vocabulary);
  },
  async run(inputs, options, context) {
    const { own, given, rowParts } = await parseChoice(options);
    const factors = inputs["factors"]?.[0];
    const allocation = inputs["allocation"]?.[0];
    if (own.withoutFactors !== (factors === undefined)) {
      throw new UsageError(own.withoutFactors ? "compress: --without-factors takes no factors" : "compress: give it factors");
    }
    const opening = { ...context, allowNonfinite: own.allowNonfinite };
    const model = await (factors === undefined ? openModel(own.model, opening) : openModelOf(factors, own.model, opening));
    try {
      // assemble takes no layers of a packed model
      await requireDense(model);
      if (factors === undefined) {
        requireCompressible(model, context.warn);
        await requireFiniteRest(model);
      }
      if (own.vocabulary !== "off") requireVocabulary(model);
      const { order, weights } = factors === undefined ? uncalibrated : parseMetadata("factors", factors.schema);
      const { solver } = given;
      const complete = (of: Solver, values: SolverChoice["options"]) => dependentDefaults(of, values, alone);
      const allocated = allocation && (await readAllocated(allocation, model, given, complete));
      const vocabulary = vocabularyChoice(given, allocated, own.vocabulary);
      const note = allocated?.ofVocabulary?.note;
      if (own.vocabulary === "on" && note !== undefined) context.warn(note);
      const choice: SolverChoice = { solver, options: { ...given.options, ...complete(solver, given.options) } };
      const settings = Object.entries(allocated?.origin ?? choice.options).filter(([, value]) => value !== undefined);
      const metadata = {
        model: model.address,
        solver: solver.name,
        options: { ...Object.fromEntries(settings), ...(vocabulary && { vocabulary: own.vocabulary }) },
        order,
        weights,
        ...(rowParts && { rowParts }),
      };
      const withVocabulary = vocabulary !== undefined;
      const sites = factors === undefined ? plainSites(model, withVocabulary) : factoredSites(factors, model, withVocabulary);
      const gridOf = allocated?.gridOf ?? (await gridsOf(choice, model));
      // which has the types of all tensors
      const isSameMixture =
        allocated === undefined &&
        vocabulary?.options["mixture"] !== undefined &&
        vocabulary.options["mixture"] === choice.options["mixture"];
      const choices = {
        solver,
        choiceOf: allocated?.choiceOf ?? (() => choice),
        blockType: given.options["grid"],
        gridOf,
        vocabulary: vocabulary && {
          ...vocabulary,
          gridOf: isSameMixture && gridOf ? gridOf : await requiredGrids(vocabulary, model),
        },
      };
      const made = compressAll(sites, model, choices, rowParts, context);
      // solveSite checks every solution
      return { layers: encodeLayers(made, metadata, { checked: true }) };
    } catch (error) {
      await model.close();
      throw error;
    }
  },
};
