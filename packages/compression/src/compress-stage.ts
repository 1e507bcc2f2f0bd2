import { encodeLayers, parseMetadata, embeddingsBlock, type LayerRecord } from "@mbs/artifacts";
import {
  optionFlag,
  at,
  InterruptedError,
  UsageError,
  parseOptions,
  parseShard,
  shardOption,
  splitOptions,
  type OptionTable,
  type Shards,
  type Solver,
  type SolverSetting,
  type Stage,
  type StageContext,
} from "@mbs/contracts";
import { ggufColumns, openModel, requireCompressible, requireDense, requireFiniteWeights, requireEmbeddings } from "@mbs/models";
import type { Model } from "@mbs/models";
import { createBlas } from "@mbs/onnx";
import {
  gridOptionNames,
  canSplitRows,
  dependentDefaults,
  loadSolver,
  solverOptions,
  solvers,
  embeddingsChoices,
  embeddingsOptions,
} from "@mbs/solvers";
import { readAssignment } from "./assignment/assignment.ts";
import type { ChoiceOf, TensorChoice } from "./assignment/tensor-choice.ts";
import { openModelOf } from "./factored-model.ts";
import { RowThreads } from "./rows/row-threads.ts";
import { ScatteredRows } from "./rows/scattered-rows.ts";
import { scaledNorms } from "./site/scaled-norms.ts";
import type { SiteInput } from "./site/site-statistics.ts";
import { choiceGroups } from "./site/choice-groups.ts";
import { factoredSites, plainSites, type Work } from "./site/compressed-inputs.ts";
import { readPieces } from "./site/site-pieces.ts";
import { solveSite } from "./site/solve-site.ts";
import type { SolverChoice } from "./site/solve-site.ts";

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
  embeddings: {
    kind: "choice",
    choices: embeddingsChoices,
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
  const clash = Object.keys(solverOptions(solver)).find((option) => Object.hasOwn(ownOptions, option));
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
  const { own, rest } = splitOptions(ownOptions, solverOptions(solver), options, "compress");
  const given = parseOptions(solverOptions(solver), rest, solver.name);
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
 * Norms and other tensors that no solver changes, which `capture` has read where there are factors: better refused before the
 * solver's work than by `assemble` after it.
 *
 * @throws {BadDataError} on NaN or Inf, with tensor and index
 */
async function requireFiniteRest(model: Model): Promise<void> {
  const changed = new Set(
    model.blocks.flatMap(({ sites }) => sites.flatMap(({ weights }) => weights.map(({ tensor }) => tensor))),
  );
  await requireFiniteWeights(
    model,
    [...model.reads].filter((tensor) => !changed.has(tensor)),
  );
}

/** What factors say of order and mix, where there are none. */
const uncalibrated = { order: "natural", weights: {} };

/** What sites are solved with. */
interface Choices {
  readonly solver: Solver;
  /** Complete, but for what tensors have of their own. */
  readonly options: SolverChoice["options"];
  readonly choiceOf: ChoiceOf;
}

/** A solver with the options for tensors that get the same. */
function solverFor({ solver, options }: Choices, block: string, { sparsity }: TensorChoice): SolverChoice {
  const own = block === embeddingsBlock ? embeddingsOptions(solver, options) : options;
  return { solver, options: { ...own, ...(sparsity !== undefined && { sparsity }) } };
}

/** @throws {UsageError} where tensors of one site have different choices, and one of them wants the site's input scaled */
function refuseScale({ block, site }: SiteInput, { summary }: LayerRecord): never {
  throw new UsageError(
    `solver ${summary.solver} scales the input of ${block} ${site}, whose tensors have different bits, and each would scale it its own way; allocate with --unit site, or take a solver that does not scale`,
    { block, site },
  );
}

async function* compressAll(
  inputs: AsyncIterable<Work> | Iterable<Work>,
  model: Model,
  choices: Choices,
  rowParts: Shards | undefined,
  { signal, warn, progress, threads, pool }: StageContext,
): AsyncGenerator<LayerRecord> {
  const blas = createBlas({ threads, pool });
  const rowThreads = threads > 1 ? RowThreads.take(threads, pool) : undefined;
  const [sites, replaced, skipped] = [new Set<string>(), new Set<string>(), new Set<string>()];
  let scattered: ScatteredRows | undefined;
  try {
    const columnsOf = await ggufColumns(model);
    for await (const input of inputs) {
      const { block, site } = input;
      for await (const piece of readPieces(model, input, choices.choiceOf, rowParts)) {
        if (signal.aborted) throw new InterruptedError("compress: stopped");
        for (const tensor of piece.skipped) {
          if (!skipped.has(tensor)) warn(`tensor ${tensor} has NaN or Inf and stays uncompressed`);
          skipped.add(tensor);
        }
        const { rows, rowCosts } = piece;
        const groups = piece.weight.rows > 0 ? choiceGroups(piece) : [];
        if (groups.length === 0) scattered = undefined;
        for (const [index, { weight, dtypes, choices: own, scaledBy, origins }] of groups.entries()) {
          const choice = solverFor(choices, block, at(own, 0));
          const context = { blas, signal, warn, rowThreads, origins, rowCosts, columnsOf };
          const solved = await solveSite(choice, weight, dtypes, input, context);
          const [first] = solved;
          if (groups.length > 1 && first?.inputScale !== undefined) refuseScale(input, first);
          if (index === 0 && first?.summary.fallback !== undefined) replaced.add(`${block} ${site}`);
          if (rows === undefined) {
            yield* solved;
          } else {
            const joined = (scattered ??= new ScatteredRows(rows.range));
            const whole = joined.add(at(solved, 0), rows.numbers, rowParts !== undefined);
            progress({ activity: `compress the ${site}`, done: joined.done, total: rows.range.rows, unit: "rows" });
            if (whole === undefined) continue;
            scattered = undefined;
            yield whole;
          }
          if (first) yield* await scaledNorms(model, first, scaledBy);
        }
      }
      sites.add(`${block} ${site}`);
      progress({ activity: `compress (${choices.solver.name})`, done: sites.size, unit: "sites" });
    }
    const [all, simpler] = [sites.size, replaced.size];
    if (simpler > 0) warn(`${simpler} of ${all} sites had no factor and were compressed by a simpler method`);
  } finally {
    await blas.release();
    await rowThreads?.giveBack(pool);
    await model.close();
  }
}

/** Stage `compress`: factors and a model to layers, by any solver. */
/** @throws {UsageError} on bits or types of a solver that rounds nothing, with those that do */
function requireItsGrids(solver: Solver, raw: Readonly<Record<string, unknown>>): void {
  const own = solverOptions(solver);
  const name = gridOptionNames.find((option) => raw[option] !== undefined && !Object.hasOwn(own, option));
  if (name === undefined || (solver.grids ?? []).some((kind) => kind !== "none")) return;
  throw new UsageError(
    `${solver.name} takes no ${optionFlag(name)}, since it does not round weights; gptq, rtn, gptaq and awq do, and sparsegpt prunes and, with --bits, rounds at once`,
    { solver: solver.name, option: name },
  );
}

export const compress: Stage = {
  name: "compress",
  summary: "Compress the weights of each site by a solver: quantise, prune, or both.",
  examples: [
    "mbs compress --model M --solver gptq --bits 3 --group-size 128 < factors.arrow > layers.arrow",
    "mbs compress --model M --solver gptq --grid Q4_K < factors.arrow > layers.arrow",
    "mbs compress --model M --solver sparsegpt --pattern 2:4 < factors.arrow > layers.arrow",
    "mbs compress --model M --solver wanda --allocation allocation.arrow < factors.arrow > layers.arrow",
    "mbs compress --model M --solver gptq --bits 3 --embeddings 4 < factors.arrow > layers.arrow",
    "mbs compress --model M --solver gptq --type-mix Q4_K_M --embeddings on < factors.arrow > layers.arrow",
    "mbs compress --model M --solver gptq --allocation bits.arrow < factors.arrow > layers.arrow",
    "mbs compress --model M --solver ./mine.js < factors.arrow > layers.arrow",
    "mbs compress --model M --solver rtn --bits 4 --without-factors > layers.arrow",
  ],
  inputs: {
    factors: { kinds: ["factors"], unless: "withoutFactors", description: "output of `mbs factor`" },
    allocation: {
      kinds: ["allocation"],
      optional: true,
      description:
        "output of `mbs allocate`: the sparsity of each block, or the bits or GGUF type of each tensor, for a solver with that option",
    },
  },
  outputs: { layers: { kind: "layers", description: "the compressed weights" } },
  options: ownOptions,
  moreOptions: async (raw) => {
    const solver = await solverNamed(raw);
    requireItsGrids(solver, raw);
    return solverOptions(solver);
  },
  moreOptionsBy: "solver",
  async checkPlan(raw) {
    await parseChoice(raw);
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
      if (own.embeddings !== "off") requireEmbeddings(model);
      const { order, weights } = factors === undefined ? uncalibrated : parseMetadata("factors", factors.schema);
      const { solver } = given;
      const assignment = await readAssignment(model, given, allocation, own.embeddings, context.warn);
      const complete = { ...given.options, ...dependentDefaults(solver, given.options, alone) };
      const settings = Object.entries(assignment.settings(complete)).filter(([, value]) => value !== undefined);
      const { hasEmbeddings, choiceOf } = assignment;
      const metadata = {
        model: model.address,
        solver: solver.name,
        options: { ...Object.fromEntries(settings), ...(hasEmbeddings && { embeddings: own.embeddings }) },
        order,
        weights,
        ...(rowParts && { rowParts }),
      };
      const sites = factors === undefined ? plainSites(model, hasEmbeddings) : factoredSites(factors, model, hasEmbeddings);
      const made = compressAll(sites, model, { solver, options: complete, choiceOf }, rowParts, context);
      return { layers: encodeLayers(made, metadata) };
    } catch (error) {
      await model.close();
      throw error;
    }
  },
};
