import { isDeepStrictEqual } from "node:util";
import { parseOptions, type Blas, type Solution, type Solver, type SolverStatistics, type StatisticName } from "@mbs/contracts";
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

/**
 * What every solver must do, as checks for any test framework.
 *
 * @param solver yours or a built-in one
 * @returns checks to run, each independent of the others
 */
export function conformanceSuite(solver: Solver, settings: ConformanceSettings = {}): readonly ConformanceCheck[] {
  const { options: optionSets = [{}], order: asked, beats, independentParts = true, blas = plainBlas } = settings;
  const context = { blas, signal: new AbortController().signal, warn: () => {} };

  const samples = samplesOf.get(blas) ?? new Map<string, Promise<SampleSite>>();
  samplesOf.set(blas, samples);
  /** A copy of its own for each check. */
  async function sampleFor(raw: Readonly<Record<string, unknown>>, shape: SampleShape): Promise<SampleSite> {
    const options = parseOptions(solverOptions(solver), raw, solver.name);
    const grid = askedGrid(solver, options);
    const order = asked ?? preferredOrderOf(solver, options, grid) ?? "natural";
    const own = shapeFor(options, shape);
    const key = JSON.stringify([own, order]);
    const sample = samples.get(key) ?? makeSampleSite(blas, own, order);
    samples.set(key, sample);
    const { weight, statistics } = structuredClone(await sample);
    return { weight: { ...weight, parts: weight.parts.map((part) => ({ ...part, grid })) }, statistics };
  }
  async function solve(
    by: Solver,
    raw: Readonly<Record<string, unknown>>,
    { weight, statistics }: SampleSite,
  ): Promise<Solution> {
    const options = parseOptions(solverOptions(by), raw, by.name);
    return by.solve({ ...weight, values: weight.values.slice() }, declaredOnly(by, statistics, options), options, context);
  }
  async function errorOf({ weight, statistics }: SampleSite, { values, inputScale }: Solution): Promise<number> {
    const scales = inputScale ?? new Float32Array(weight.columns).fill(1);
    const change = unscaledChange(values, scales, weight.values);
    const errors = await outputByRow(blas, change, weight.rows, { gram: statistics.gram });
    return errors.reduce((sum, value) => sum + value, 0);
  }

  const checksOf = (raw: Readonly<Record<string, unknown>>): ConformanceCheck[] => [
    ...Object.entries(shapes).map(([name, shape]) => ({
      name: `${name}: shapes, finite values, codes and mask agree`,
      async run() {
        const site = await sampleFor(raw, shape);
        const solution = await solve(solver, raw, site);
        requireNone(shapeFault(site.weight, solution));
        requireNone(nonfiniteValue(site.weight, solution));
        requireNone(agreementFault(site.weight, solution));
        const parsed = parseOptions(solverOptions(solver), raw, solver.name);
        const planned = plannedCodesOf(solver, parsed, site.statistics.factor.orderName, askedGrid(solver, parsed));
        if (planned !== "unknown") requirePlanned(site.weight, solution, planned);
      },
    })),
    {
      name: "scales no input where nothing can take its inverse",
      async run() {
        const { weight, statistics } = await sampleFor(raw, mainShape);
        const fixed = { ...weight, scalable: false };
        requireNone(shapeFault(fixed, await solve(solver, raw, { weight: fixed, statistics })));
      },
    },
    {
      name: "gives the same bytes again, also after another site",
      async run() {
        const site = await sampleFor(raw, mainShape);
        const first = structuredClone(await solve(solver, raw, site));
        await solve(solver, raw, await sampleFor(raw, { parts: [5], columns: 40 }));
        requireSame(first, await solve(solver, raw, site), "from the first time");
      },
    },
    {
      name: "reads the declared statistics alone and modifies none",
      async run() {
        const site = await sampleFor(raw, mainShape);
        const before = structuredClone(site.statistics);
        await solve(solver, raw, site);
        requireUntouched(before, site.statistics);
      },
    },
    ...(solver.rowsAreIndependent === true ? [{ name: "rows solved apart are as together", run: () => checkRows(raw) }] : []),
    ...(independentParts ? [{ name: "each part alone comes out as it does among the others", run: () => checkParts(raw) }] : []),
    ...(beats === undefined ? [] : [{ name: `loses less output than ${beats}`, run: () => checkBeats(beats, raw) }]),
  ];

  async function checkParts(raw: Readonly<Record<string, unknown>>): Promise<void> {
    const site = await sampleFor(raw, mainShape);
    const { columns, parts, values } = site.weight;
    const together = await solve(solver, raw, site);
    for (const part of parts) {
      const { firstRow, rows, tensor } = part;
      const from = firstRow * columns;
      const ownValues = values.slice(from, from + rows * columns);
      const own = { ...site.weight, rows, values: ownValues, parts: [{ ...part, firstRow: 0 }] };
      const alone = await solve(solver, raw, { weight: own, statistics: site.statistics });
      const difference = alone.values.findIndex((value, index) => value !== together.values[from + index]);
      require(difference < 0, `${tensor} differs from itself alone at value ${difference}`);
    }
  }

  /** A product may add in another order for other numbers of rows: its Blas decides whether this holds to the bit. */
  async function checkRows(raw: Readonly<Record<string, unknown>>): Promise<void> {
    const { weight, statistics } = await sampleFor(raw, mainShape);
    const together = await solve(solver, raw, { weight, statistics });
    const ranges = [0, 7, 8].map((firstRow, index, firsts) => ({
      firstRow,
      rows: (firsts[index + 1] ?? weight.rows) - firstRow,
    }));
    const apart: Solution[] = [];
    for (const range of ranges) apart.push(await solve(solver, raw, { weight: rowsOf(weight, range), statistics }));
    requireSame(together, joinRows(apart), "where rows are solved apart");
  }

  async function checkBeats(name: string, raw: Readonly<Record<string, unknown>>): Promise<void> {
    const simple = await loadSolver(name);
    const site = await sampleFor(raw, mainShape);
    // an option of both may have choices that the simple one does not
    const shared = Object.fromEntries(
      Object.entries(raw).filter(([key, value]) => {
        const option = solverOptions(simple)[key];
        return option !== undefined && (option.kind !== "choice" || option.choices.includes(String(value)));
      }),
    );
    const [error, simpleError] = [
      await errorOf(site, await solve(solver, raw, site)),
      await errorOf(site, await solve(simple, shared, site)),
    ];
    const settings = JSON.stringify(parseOptions(solverOptions(simple), shared, simple.name));
    require(error < simpleError, `has the error ${error}, not below the ${simpleError} of ${name} with ${settings}`);
  }

  const declared: ConformanceCheck = {
    name: `${solver.name}: has the shape of a solver`,
    async run() {
      requireNone(solverFault(solver));
    },
  };
  const reached: ConformanceCheck = {
    name: `${solver.name}: some setting rounds, if it can`,
    async run() {
      const { grids = [] } = solver;
      const isReached = optionSets.some(
        (raw) => askedGrid(solver, parseOptions(solverOptions(solver), raw, solver.name)).kind !== "none",
      );
      require(isReached ||
        grids.every((kind) => kind === "none"), `rounds in none of the settings; name bits or a grid in one of them`);
    },
  };
  return [
    declared,
    reached,
    ...optionSets.flatMap((raw) =>
      checksOf(raw).map(({ name, run }) => named({ name: `${solver.name} ${JSON.stringify(raw)}: ${name}`, run })),
    ),
  ];
}
