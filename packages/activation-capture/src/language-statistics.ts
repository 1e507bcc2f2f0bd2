import { FailedPreconditionError } from "@mbs/contracts";
import type { Blas, Matrix } from "@mbs/contracts";
import type { GramKernel, GramSum } from "@mbs/onnx";
import { findNonfinite, packedLength } from "@mbs/numbers";
import { inverseSizes, scaleRows } from "./normalised-rows.ts";
import { addScaled, ColumnSquares, CrossSum } from "./running-sums.ts";

/** What is gathered at one site. */
export interface SitePlan {
  readonly site: string;
  readonly width: number;
  readonly gram: boolean;
  readonly diagonal: boolean;
  /** Whether the dense model's inputs are compared. */
  readonly cross: boolean;
  /** Whether the input of each token is divided by its root mean square. */
  readonly normalised: boolean;
}

/** Means over the tokens of one language at one site. */
export interface SiteMeans {
  readonly plan: SitePlan;
  readonly tokens: number;
  /** The tokens that reached the site: at an expert only those that the router sent there. */
  readonly seen: number;
  /** Whether no mean is NaN or Inf. */
  readonly finite: boolean;
  /** E[x xᵀ], packed upper half. */
  readonly gram?: Float32Array;
  /** E[x²]. */
  readonly diagonal?: Float32Array;
  /** E[(x̃ - x) xᵀ], [width, width]. */
  readonly crossMoment?: Float32Array;
}

/** Second moments of all languages together, by site. */
export class PooledMoments {
  readonly gram = new Map<string, Float32Array>();
  readonly crossMoment = new Map<string, Float32Array>();

  /** The sum of a kind at a site, zeros at first. */
  of(kind: "gram" | "crossMoment", site: string, length: number): Float32Array {
    const sum = this[kind].get(site) ?? new Float32Array(length);
    this[kind].set(site, sum);
    return sum;
  }
}

/** Engines of the sums. */
export interface SumTools {
  readonly kernel: GramKernel;
  readonly blas: Blas;
}

/** What a site sees of a batch. */
export interface SeenTokens {
  /** [rows, width] */
  readonly input: Matrix;
  /** How many there are; an expert has fewer rows, and the other tokens count as 0. */
  readonly tokens: number;
  /** The states that the site's output is added to, [rows, hidden], where it is. */
  readonly residual?: Matrix | undefined;
  /** The dense model's inputs of the same tokens in the same order, where they are compared. */
  readonly dense?: Matrix | undefined;
}

interface SiteSums {
  readonly plan: SitePlan;
  readonly gram: GramSum | undefined;
  readonly squares: ColumnSquares | undefined;
  readonly cross: CrossSum | undefined;
  tokens: number;
  seen: number;
}

/** The sums of one language in one block, and then of the next one in the same memory. */
export class LanguageStatistics {
  readonly #sites: ReadonlyMap<string, SiteSums>;

  constructor(plans: readonly SitePlan[], { kernel, blas }: SumTools) {
    this.#sites = new Map(
      plans.map((plan) => {
        const gram = plan.gram ? kernel.sum(plan.width) : undefined;
        // a Gram has them on its diagonal
        const squares = plan.diagonal && !plan.gram ? new ColumnSquares(plan.width) : undefined;
        const cross = plan.cross ? new CrossSum(plan.width, blas) : undefined;
        return [plan.site, { plan, gram, squares, cross, tokens: 0, seen: 0 }];
      }),
    );
  }

  /**
   * Adds the inputs of a site.
   *
   * @throws {FailedPreconditionError} where they are compared, and the site reads some of the tokens only
   */
  async add(site: string, { input, tokens, residual = input, dense }: SeenTokens): Promise<void> {
    const found = this.#sites.get(site);
    if (found === undefined) return;
    const { plan, gram, squares, cross } = found;
    // an error counts by the size of the states that it is added to
    const sizes = plan.normalised ? inverseSizes(residual) : undefined;
    const rows = sizes === undefined ? input : scaleRows(input, sizes);
    await gram?.add(rows);
    squares?.add(rows);
    found.tokens += tokens;
    found.seen += input.rows;
    if (cross === undefined || dense === undefined) return;
    if (dense.rows !== tokens || input.rows !== tokens) {
      throw new FailedPreconditionError(
        `site ${site} reads some of the tokens only, and the dense model sends it others; capture without dense states, and compress with a solver that does without them (gptq with qep 0)`,
        { site },
      );
    }
    // both by the compressed model's sizes: their difference is what a weight on its input can make up for
    const others = sizes === undefined ? { ...dense, values: dense.values.slice() } : scaleRows(dense, sizes);
    await cross.add(others, rows);
  }

  /**
   * The means of a language, whose sums begin again.
   *
   * @param pool takes the Grams and cross-moments with the language's share, where languages have none of their own
   */
  finish(pool?: { readonly moments: PooledMoments; readonly share: number }): SiteMeans[] {
    return [...this.#sites.values()].map((sums): SiteMeans => {
      const { plan, gram, squares, cross, tokens, seen } = sums;
      const { site, width } = plan;
      const ownSquares = squares?.mean(tokens) ?? gram?.diagonal().map((sum) => sum / tokens);
      const finite = (ownSquares === undefined || findNonfinite(ownSquares) < 0) && (cross === undefined || cross.finite);
      const crossMoment = cross?.mean(tokens);
      if (pool !== undefined && finite) {
        const { moments, share } = pool;
        gram?.addMean(tokens, share, moments.of("gram", site, packedLength(width)));
        if (crossMoment !== undefined) addScaled(moments.of("crossMoment", site, width * width), crossMoment, share);
      }
      const own = pool === undefined ? { gram: gram?.mean(tokens), crossMoment } : {};
      for (const sum of [gram, squares, cross]) sum?.clear();
      sums.tokens = 0;
      sums.seen = 0;
      return {
        plan,
        tokens,
        seen,
        finite,
        ...(own.gram && { gram: own.gram }),
        ...(plan.diagonal && ownSquares && { diagonal: ownSquares }),
        ...(own.crossMoment && { crossMoment: own.crossMoment }),
      };
    });
  }
}
