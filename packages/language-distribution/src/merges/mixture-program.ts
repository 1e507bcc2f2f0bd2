import { InternalError, at } from "@mbs/contracts";
import highsModule from "highs";
import type { Highs, Model } from "highs";

// The package's types describe its CommonJS entry; what Node imports is the loader itself.
const loadHighs = highsModule as unknown as typeof highsModule.default;

/** An inequality of the program: Σ shares · coefficients + slack of the step + slack of the pair ≥ 0. */
export interface ProgramRow {
  readonly step: number;
  readonly pair: number;
  /** Frequency of the merged pair less that of the other, [languages]. */
  readonly coefficients: Float64Array;
}

export interface ProgramSolution {
  /** Sum 1. */
  readonly shares: Float64Array;
  /** Slack by step. */
  readonly steps: ReadonlyMap<number, number>;
  /** Slack by pair. */
  readonly pairs: ReadonlyMap<number, number>;
  /** Sum of all slack, steps weighted. */
  readonly objective: number;
}

/** Of the solver, for shares. */
const tolerance = 1e-9;

let loaded: Promise<Highs> | undefined;

/**
 * The linear program over shares that sum to 1 and over slack variables for violations, one per step and one per pair. It
 * minimises the sum of the slack (arXiv 2407.16607 §3.1). Rows are added when they turn out to be needed; each solution
 * starts from the one before.
 */
export class MixtureProgram {
  readonly #model: Model;
  readonly #infinity: number;
  readonly #optimal: number;
  readonly #languages: number;
  readonly #columns = { step: new Map<number, number>(), pair: new Map<number, number>() };
  #size: number;

  private constructor(highs: Highs, languages: number) {
    this.#model = highs.createModel();
    this.#infinity = highs.infinity;
    this.#optimal = highs.constants.modelStatus.optimal;
    this.#languages = languages;
    this.#size = languages;
    this.#model.options.set({ output_flag: false });
    for (let language = 0; language < languages; language += 1) this.#model.addVar(0, 1);
    const all = Array.from({ length: languages }, (_, language) => language);
    this.#model.addRow(1, 1, { indices: all, values: all.map(() => 1) });
  }

  static async create(languages: number): Promise<MixtureProgram> {
    return new MixtureProgram(await (loaded ??= loadHighs()), languages);
  }

  /** @param weight what one unit of a step's slack costs, > 0 */
  add(rows: readonly ProgramRow[], weight: (step: number) => number): void {
    const columns = rows.map(({ step, pair }) => [this.#column("step", step, weight(step)), this.#column("pair", pair, 1)]);
    const width = this.#languages + 2;
    const all = Array.from({ length: this.#languages }, (_, language) => language);
    this.#model.addRows({
      lower: new Float64Array(rows.length),
      upper: new Float64Array(rows.length).fill(this.#infinity),
      matrix: {
        format: "csr",
        numRows: rows.length,
        numCols: this.#size,
        starts: Int32Array.from({ length: rows.length + 1 }, (_, row) => row * width),
        indices: Int32Array.from(columns.flatMap((pair) => [...all, ...pair])),
        values: Float64Array.from(rows.flatMap(({ coefficients }) => [...coefficients, 1, 1])),
      },
    });
  }

  #column(kind: "step" | "pair", id: number, cost: number): number {
    const columns = this.#columns[kind];
    const known = columns.get(id);
    if (known !== undefined) return known;
    this.#model.addCol(cost, 0, this.#infinity, { indices: [], values: [] });
    columns.set(id, this.#size);
    this.#size += 1;
    return this.#size - 1;
  }

  /** @throws {InternalError} when the solver finds no optimum, which this program always has */
  solve(): ProgramSolution {
    const { modelStatus } = this.#model.run();
    if (modelStatus !== this.#optimal) {
      throw new InternalError(`the linear program of ${this.#size} columns ended with status ${modelStatus}; report it`);
    }
    const { colValue } = this.#model.getSolution();
    const slackOf = (columns: ReadonlyMap<number, number>) =>
      new Map([...columns].map(([id, column]): [number, number] => [id, Math.max(0, at(colValue, column))]));
    return {
      // Zeros are found up to the solver's tolerance.
      shares: colValue.slice(0, this.#languages).map((share) => (share > tolerance ? share : 0)),
      steps: slackOf(this.#columns.step),
      pairs: slackOf(this.#columns.pair),
      objective: this.#model.getObjectiveValue(),
    };
  }

  /** Whether each row, in the order of adding, is binding: without the others the last solution would be the same. */
  binding(): boolean[] {
    const { rowDual } = this.#model.getSolution();
    return Array.from(rowDual.subarray(1), (dual) => dual !== 0);
  }

  close(): void {
    this.#model.dispose();
  }
}
