import { FailedPreconditionError } from "@mbs/contracts";
import type { Blas, Matrix } from "@mbs/contracts";
import type { GramKernel, GramSum } from "@mbs/onnx";

/** A running sum of x² of each column, in float64. */
class ColumnSquares {
  readonly #sums: Float64Array;

  constructor(width: number) {
    this.#sums = new Float64Array(width);
  }

  /** @param states [tokens, width] */
  add({ rows, columns, values }: Matrix): void {
    const sums = this.#sums;
    for (let row = 0; row < rows; row++) {
      const start = row * columns;
      for (let column = 0; column < columns; column++) {
        const value = values[start + column];
        sums[column] += value * value;
      }
    }
  }

  /** E[x²] of each column over `tokens`. */
  mean(tokens: number): Float32Array {
    return Float32Array.from(this.#sums, (sum) => sum / tokens);
  }
}

/** A running sum of (x̃ - x) xᵀ: what the dense model puts into a site beyond what the compressed one does. */
class CrossSum {
  readonly #blas: Blas;
  #sum: Matrix;

  constructor(width: number, blas: Blas) {
    this.#blas = blas;
    this.#sum = { rows: width, columns: width, values: new Float32Array(width * width) };
  }

  /**
   * @param dense x̃, [tokens, width]
   * @param states x of the same tokens, [tokens, width]
   */
  async add(dense: Matrix, states: Matrix): Promise<void> {
    // the difference is taken first: that of two products would drown in their rounding
    const shift = { ...dense, values: dense.values.map((value, index) => value - states.values[index]) };
    this.#sum = await this.#blas.gemm(shift, states, { transposeA: true, add: this.#sum });
  }

  /** E[(x̃ - x) xᵀ] over `tokens`, [width, width]. */
  mean(tokens: number): Float32Array {
    return this.#sum.values.map((sum) => sum / tokens);
  }
}

/** What is gathered at one site. */
export interface SitePlan {
  readonly site: string;
  readonly width: number;
  readonly gram: boolean;
  readonly diagonal: boolean;
  /** Whether the dense model's inputs are compared. */
  readonly cross: boolean;
}

/** Means over the tokens of one language at one site. */
export interface SiteMeans {
  readonly plan: SitePlan;
  readonly tokens: number;
  /** Those of the tokens that came to the site: fewer at an expert's. */
  readonly seen: number;
  /** E[x xᵀ], packed upper half. */
  readonly gram?: Float32Array;
  /** E[x²]. */
  readonly diagonal?: Float32Array;
  /** E[(x̃ - x) xᵀ], [width, width]. */
  readonly crossMoment?: Float32Array;
}

/** What sums are made with. */
export interface SumTools {
  readonly kernel: GramKernel;
  readonly blas: Blas;
}

interface SiteSums {
  readonly plan: SitePlan;
  readonly gram: GramSum | undefined;
  readonly squares: ColumnSquares | undefined;
  readonly cross: CrossSum | undefined;
  tokens: number;
  seen: number;
}

/** The sums of one language in one step. */
export class LanguageStatistics {
  readonly #sites: ReadonlyMap<string, SiteSums>;

  constructor(plans: readonly SitePlan[], { kernel, blas }: SumTools) {
    this.#sites = new Map(
      plans.map((plan) => {
        const gram = plan.gram ? kernel.sum(plan.width) : undefined;
        const squares = plan.diagonal ? new ColumnSquares(plan.width) : undefined;
        const cross = plan.cross ? new CrossSum(plan.width, blas) : undefined;
        return [plan.site, { plan, gram, squares, cross, tokens: 0, seen: 0 }];
      }),
    );
  }

  /**
   * Adds the inputs of a site.
   *
   * @param states [rows, width]
   * @param tokens that they are of; rows are fewer where an expert reads its own tokens only, and the others count as 0
   */
  async add(site: string, states: Matrix, tokens: number): Promise<void> {
    const found = this.#sites.get(site);
    if (found === undefined) return;
    await found.gram?.add(states);
    found.squares?.add(states);
    found.tokens += tokens;
    found.seen += states.rows;
  }

  /**
   * Compares the inputs of a site with the dense model's, of the same tokens in the same order.
   *
   * @throws {FailedPreconditionError} where a site reads some of the tokens only
   */
  async compare(site: string, dense: Matrix, states: Matrix, tokens: number): Promise<void> {
    const cross = this.#sites.get(site)?.cross;
    if (cross === undefined) return;
    if (dense.rows !== tokens || states.rows !== tokens) {
      throw new FailedPreconditionError(
        `site ${site} reads some of the tokens only, and the dense model sends it others; capture without dense states, and compress with another solver`,
        { site },
      );
    }
    await cross.add(dense, states);
  }

  /** The means; the sums are used up. */
  finish(): SiteMeans[] {
    return [...this.#sites.values()].map(({ plan, gram, squares, cross, tokens, seen }) => {
      const mean = gram?.packed();
      if (mean !== undefined) for (let index = 0; index < mean.length; index++) mean[index] /= tokens;
      return {
        plan,
        tokens,
        seen,
        ...(mean && { gram: mean }),
        ...(squares && { diagonal: squares.mean(tokens) }),
        ...(cross && { crossMoment: cross.mean(tokens) }),
      };
    });
  }
}
