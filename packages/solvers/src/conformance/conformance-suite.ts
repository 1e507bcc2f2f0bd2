import { isDeepStrictEqual } from "node:util";
import {
  parseOptions,
  type Blas,
  type Solution,
  type Solver,
  type SolverContext,
  type SolverStatistics,
  type StatisticName,
} from "@mbs/contracts";
import { quantisationTypeNamed } from "@mbs/gguf";
import { loadSolver, plannedCodesOf, preferredOrderOf } from "../contract/read-solver.ts";
import { askedGrid, type GridValues } from "../grids/asked-grid.ts";
import { solverOptions } from "../grids/grid-options.ts";
import { unscaledChange } from "../grids/channel-scaling.ts";
import { outputByRow } from "../output-error.ts";
import { joinRows, rowsOf } from "../row-slices.ts";
import { agreementFault, nonfiniteValue, shapeFault } from "../contract/solution-fault.ts";
import { solverFault } from "../contract/solver-shape.ts";
import { plainBlas } from "./plain-blas.ts";
import { ConformanceError, require, requireNone, requirePlanned, requireSame } from "./requirements.ts";
import { makeSampleSite, type SampleShape, type SampleSite } from "./sample-site.ts";

/** One check. `run` rejects with what the solver did wrong. */
export interface ConformanceCheck {
  readonly name: string;
  readonly run: () => Promise<void>;
}

export interface ConformanceSettings {
  /** Settings to try, as a user would give them; default the solver's defaults alone. */
  readonly options?: readonly Readonly<Record<string, unknown>>[];
  /** Column order of the factors, as `mbs factor --order` takes it; default the solver's preferred one. */
  readonly order?: string;
  /** The simple method that it must beat on tr(ΔW·H·ΔWᵀ) at the same options; default none. */
  readonly beats?: "rtn" | "magnitude";
  /** False where parts of one site may influence each other; default true. */
  readonly independentParts?: boolean;
  readonly blas?: Blas;
}

const mainShape: SampleShape = { parts: [10, 14], columns: 150 };

const shapes: Readonly<Record<string, SampleShape>> = {
  "a site of two weights": mainShape,
  "dead columns and rows of zeros": { parts: [12], columns: 136, dead: [0, 7, 130, 131, 132, 133, 134, 135], zeroRows: [3] },
  "one row and seven columns": { parts: [1], columns: 7 },
  "one column": { parts: [3], columns: 1 },
  "weights near the smallest scale of f16": { parts: [12], columns: 40, negative: 4e-7, scaleDtype: "f16" },
};

/** A shape whose rows are whole blocks where options ask for a quantisation type of GGUF. */
function shapeFor(values: GridValues, shape: SampleShape): SampleShape {
  const { values: block } = quantisationTypeNamed(values.grid ?? "F32");
  return { ...shape, columns: Math.ceil(shape.columns / block) * block };
}

/** The statistics alone that it declares, or says that it reads with these options; reading another one fails. */
function declaredOnly(solver: Solver, statistics: SolverStatistics, options: Parameters<Solver["solve"]>[2]): SolverStatistics {
  const names = solver.reads?.(options) ?? solver.needs;
  for (const name of names) require(solver.needs.includes(name), `says that it reads ${name}, which its needs do not name`);
  return new Proxy(statistics, {
    get(target, key) {
      const declared = typeof key === "symbol" || names.includes(key as StatisticName);
      require(declared, `reads the statistic ${String(key)}, which its needs do not name`);
      return Reflect.get(target, key);
    },
  });
}

const arraysOf = ({ factor, diagonal, gram, crossMoment, languageDiagonals }: SolverStatistics) => [
  factor.order,
  factor.upper,
  diagonal,
  gram,
  crossMoment,
  ...languageDiagonals.map(({ values }) => values),
];

function requireUntouched(before: SolverStatistics, after: SolverStatistics): void {
  require(isDeepStrictEqual(arraysOf(after), arraysOf(before)), "modifies its statistics");
  require(after.factor.dead.join() === before.factor.dead.join(), "modifies the list of dead columns");
}

/** The check with its name in its errors: a plain script that runs the checks shows nothing else of them. */
const named = ({ name, run }: ConformanceCheck): ConformanceCheck => ({
  name,
  run: () =>
    run().catch((cause: unknown) => {
      throw cause instanceof ConformanceError ? new ConformanceError(`${name}: ${cause.message}`, { cause }) : cause;
    }),
});

/** Sites by shape and order, for all solvers and grids that are checked with a Blas: to make one takes longer than most checks. */
const samplesOf = new WeakMap<Blas, Map<string, Promise<SampleSite>>>();

/** Options as a user would give them. */
type Raw = Readonly<Record<string, unknown>>;

/** The checks of one solver. Each makes or copies what it works on. */
class SolverChecks {
  readonly #solver: Solver;
  readonly #order: string | undefined;
  readonly #context: SolverContext;
  readonly #samples: Map<string, Promise<SampleSite>>;

  constructor(solver: Solver, blas: Blas, order: string | undefined) {
    this.#solver = solver;
    this.#order = order;
    this.#context = { blas, signal: new AbortController().signal, warn: () => {} };
    this.#samples = samplesOf.get(blas) ?? new Map<string, Promise<SampleSite>>();
    samplesOf.set(blas, this.#samples);
  }

  /** Shapes, finite values, codes and mask. */
  async checkAgreement(raw: Raw, shape: SampleShape): Promise<void> {
    const site = await this.#sampleFor(raw, shape);
    const solution = await this.#solve(this.#solver, raw, site);
    requireNone(shapeFault(site.weight, solution));
    requireNone(nonfiniteValue(site.weight, solution));
    requireNone(agreementFault(site.weight, solution));
    const parsed = parseOptions(solverOptions(this.#solver), raw, this.#solver.name);
    const planned = plannedCodesOf(this.#solver, parsed, site.statistics.factor.orderName, askedGrid(this.#solver, parsed));
    if (planned !== "unknown") requirePlanned(site.weight, solution, planned);
  }

  /** Nothing is scaled where nothing can take the inverse. */
  async checkInputs(raw: Raw): Promise<void> {
    const { weight, statistics } = await this.#sampleFor(raw, mainShape);
    const fixed = { ...weight, scalable: false };
    requireNone(shapeFault(fixed, await this.#solve(this.#solver, raw, { weight: fixed, statistics })));
  }

  /** The same bytes again, also after another site. */
  async checkRepetition(raw: Raw): Promise<void> {
    const site = await this.#sampleFor(raw, mainShape);
    const first = structuredClone(await this.#solve(this.#solver, raw, site));
    await this.#solve(this.#solver, raw, await this.#sampleFor(raw, { parts: [5], columns: 40 }));
    requireSame(first, await this.#solve(this.#solver, raw, site), "from the first time");
  }

  /** Only the declared statistics, none of them modified. */
  async checkStatistics(raw: Raw): Promise<void> {
    const site = await this.#sampleFor(raw, mainShape);
    const before = structuredClone(site.statistics);
    await this.#solve(this.#solver, raw, site);
    requireUntouched(before, site.statistics);
  }

  async checkParts(raw: Raw): Promise<void> {
    const site = await this.#sampleFor(raw, mainShape);
    const { columns, parts, values } = site.weight;
    const together = await this.#solve(this.#solver, raw, site);
    for (const part of parts) {
      const { firstRow, rows, tensor } = part;
      const from = firstRow * columns;
      const ownValues = values.slice(from, from + rows * columns);
      const own = { ...site.weight, rows, values: ownValues, parts: [{ ...part, firstRow: 0 }] };
      const alone = await this.#solve(this.#solver, raw, { weight: own, statistics: site.statistics });
      const difference = alone.values.findIndex((value, index) => value !== together.values[from + index]);
      require(difference < 0, `${tensor} differs from itself alone at value ${difference}`);
    }
  }

  /** A product may add in another order for other numbers of rows: its Blas decides whether this holds to the bit. */
  async checkRows(raw: Raw): Promise<void> {
    const { weight, statistics } = await this.#sampleFor(raw, mainShape);
    const together = await this.#solve(this.#solver, raw, { weight, statistics });
    const ranges = [0, 7, 8].map((firstRow, index, firsts) => ({
      firstRow,
      rows: (firsts[index + 1] ?? weight.rows) - firstRow,
    }));
    const apart: Solution[] = [];
    for (const range of ranges) apart.push(await this.#solve(this.#solver, raw, { weight: rowsOf(weight, range), statistics }));
    requireSame(together, joinRows(apart), "where rows are solved apart");
  }

  async checkBeats(name: string, raw: Raw): Promise<void> {
    const simple = await loadSolver(name);
    const site = await this.#sampleFor(raw, mainShape);
    // an option of both may have choices that the simple one does not
    const shared = Object.fromEntries(
      Object.entries(raw).filter(([key, value]) => {
        const option = solverOptions(simple)[key];
        return option !== undefined && (option.kind !== "choice" || option.choices.includes(String(value)));
      }),
    );
    const [error, simpleError] = [
      await this.#errorOf(site, await this.#solve(this.#solver, raw, site)),
      await this.#errorOf(site, await this.#solve(simple, shared, site)),
    ];
    const settings = JSON.stringify(parseOptions(solverOptions(simple), shared, simple.name));
    require(error < simpleError, `has the error ${error}, not below the ${simpleError} of ${name} with ${settings}`);
  }

  /** Some setting rounds, if the solver can. */
  checkReached(optionSets: readonly Raw[]): void {
    const { grids = [] } = this.#solver;
    const isReached = optionSets.some(
      (raw) => askedGrid(this.#solver, parseOptions(solverOptions(this.#solver), raw, this.#solver.name)).kind !== "none",
    );
    require(isReached ||
      grids.every((kind) => kind === "none"), `rounds in none of the settings; name bits or a grid in one of them`);
  }

  /** A copy of its own for each check. */
  async #sampleFor(raw: Raw, shape: SampleShape): Promise<SampleSite> {
    const options = parseOptions(solverOptions(this.#solver), raw, this.#solver.name);
    const grid = askedGrid(this.#solver, options);
    const order = this.#order ?? preferredOrderOf(this.#solver, options, grid) ?? "natural";
    const own = shapeFor(options, shape);
    const key = JSON.stringify([own, order]);
    const sample = this.#samples.get(key) ?? makeSampleSite(this.#context.blas, own, order);
    this.#samples.set(key, sample);
    const { weight, statistics } = structuredClone(await sample);
    return { weight: { ...weight, parts: weight.parts.map((part) => ({ ...part, grid })) }, statistics };
  }

  async #solve(by: Solver, raw: Raw, { weight, statistics }: SampleSite): Promise<Solution> {
    const options = parseOptions(solverOptions(by), raw, by.name);
    return by.solve({ ...weight, values: weight.values.slice() }, declaredOnly(by, statistics, options), options, this.#context);
  }

  async #errorOf({ weight, statistics }: SampleSite, { values, inputScale }: Solution): Promise<number> {
    const scales = inputScale ?? new Float32Array(weight.columns).fill(1);
    const change = unscaledChange(values, scales, weight.values);
    const errors = await outputByRow(this.#context.blas, change, weight.rows, { gram: statistics.gram });
    return errors.reduce((sum, value) => sum + value, 0);
  }
}

/** The checks with one setting. */
function checksOf(
  checks: SolverChecks,
  raw: Raw,
  rowsAreIndependent: boolean,
  settings: ConformanceSettings,
): ConformanceCheck[] {
  const { beats, independentParts = true } = settings;
  return [
    ...Object.entries(shapes).map(([name, shape]) => ({
      name: `${name}: shapes, finite values, codes and mask agree`,
      run: () => checks.checkAgreement(raw, shape),
    })),
    { name: "scales no input where nothing can take its inverse", run: () => checks.checkInputs(raw) },
    { name: "gives the same bytes again, also after another site", run: () => checks.checkRepetition(raw) },
    { name: "reads the declared statistics alone and modifies none", run: () => checks.checkStatistics(raw) },
    ...(rowsAreIndependent ? [{ name: "rows solved apart are as together", run: () => checks.checkRows(raw) }] : []),
    ...(independentParts
      ? [{ name: "each part alone comes out as it does among the others", run: () => checks.checkParts(raw) }]
      : []),
    ...(beats === undefined ? [] : [{ name: `loses less output than ${beats}`, run: () => checks.checkBeats(beats, raw) }]),
  ];
}

/**
 * What every solver must do, as checks for any test framework.
 *
 * @param solver yours or a built-in one
 * @returns checks to run, each independent of the others
 */
export function conformanceSuite(solver: Solver, settings: ConformanceSettings = {}): readonly ConformanceCheck[] {
  const { options: optionSets = [{}], order, blas = plainBlas } = settings;
  const checks = new SolverChecks(solver, blas, order);
  const rowsAreIndependent = solver.rowsAreIndependent === true;
  return [
    { name: `${solver.name}: has the shape of a solver`, run: async () => requireNone(solverFault(solver)) },
    { name: `${solver.name}: some setting rounds, if it can`, run: async () => checks.checkReached(optionSets) },
    ...optionSets.flatMap((raw) =>
      checksOf(checks, raw, rowsAreIndependent, settings).map(({ name, run }) =>
        named({ name: `${solver.name} ${JSON.stringify(raw)}: ${name}`, run }),
      ),
    ),
  ];
}
