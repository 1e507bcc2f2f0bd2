import { FailedPreconditionError } from "@mbs/contracts";
import type { Blas } from "@mbs/contracts";
import { freeMatrix, readMatrix } from "@mbs/onnx";
import type { CrossSum, GramSum, MomentKernel, PlacedMatrix } from "@mbs/onnx";
import { findNonfinite, packedLength } from "@mbs/numbers";
import { ColumnSquares } from "./running-sums.ts";
import type { TokenRows } from "./token-rows.ts";

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

/** Grams of all languages together, by site. */
export class PooledGrams {
  readonly #sums = new Map<string, Float32Array>();

  /** The sum at a site, packed, zeros at first. */
  of(site: string, width: number): Float32Array {
    const sum = this.#sums.get(site) ?? new Float32Array(packedLength(width));
    this.#sums.set(site, sum);
    return sum;
  }

  get(site: string): Float32Array | undefined {
    return this.#sums.get(site);
  }
}

/** Engines of the sums. */
export interface SumTools {
  readonly kernel: MomentKernel;
  readonly blas: Blas;
  readonly rows: TokenRows;
}

/** The dense model's inputs of the same tokens in the same order. */
export interface DenseTokens {
  /** [rows, width] */
  readonly input: PlacedMatrix;
  /** What each counts in the cross-moment: one over the language's tokens, times its share where it is one of all languages. */
  readonly weight: number;
}

/** What a site sees of a batch. */
export interface SeenTokens {
  /** [rows, width] */
  readonly input: PlacedMatrix;
  /** How many there are; an expert has fewer rows, and the other tokens count as 0. */
  readonly tokens: number;
  /** The states that the site's output is added to, [rows, hidden], where it is. */
  readonly residual?: PlacedMatrix | undefined;
  /** Where they are compared. */
  readonly dense?: DenseTokens | undefined;
}

interface SiteSums {
  readonly plan: SitePlan;
  readonly gram: GramSum | undefined;
  readonly squares: ColumnSquares | undefined;
  /** Of w·(x̃ - x) xᵀ: how far the dense model's input of a site, x̃, is from the compressed one's. */
  readonly cross: CrossSum | undefined;
  tokens: number;
  seen: number;
}

/**
 * The sums of one language in one block, and then of the next one in the same memory. Where languages share a Gram, cross-moments
 * go on over all of them.
 */
export class LanguageStatistics {
  readonly #sites: ReadonlyMap<string, SiteSums>;
  readonly #rows: TokenRows;

  constructor(plans: readonly SitePlan[], { kernel, rows }: Pick<SumTools, "kernel" | "rows">) {
    this.#rows = rows;
    this.#sites = new Map(
      plans.map((plan) => {
        const gram = plan.gram ? kernel.gram(plan.width) : undefined;
        // a Gram has them on its diagonal
        const squares = plan.diagonal && !plan.gram ? new ColumnSquares(plan.width) : undefined;
        const cross = plan.cross ? kernel.cross(plan.width) : undefined;
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
    const sizes = plan.normalised && input.rows > 0 ? await this.#rows.inverseSizes(residual) : undefined;
    const rows = sizes === undefined ? input : await this.#rows.scale(input, sizes);
    try {
      await gram?.add(rows);
      if (squares !== undefined) squares.add(await readMatrix(rows));
      found.tokens += tokens;
      found.seen += input.rows;
      if (cross !== undefined && dense !== undefined) await this.#addCross(cross, { site, input, tokens, dense }, rows, sizes);
    } finally {
      if (rows !== input) freeMatrix(rows);
    }
  }

  /** @param rows of the input, by their sizes where those are given */
  async #addCross(
    cross: CrossSum,
    { site, input, tokens, dense }: Pick<SeenTokens, "input" | "tokens"> & { readonly site: string; readonly dense: DenseTokens },
    rows: PlacedMatrix,
    sizes: Float32Array | undefined,
  ): Promise<void> {
    if (dense.input.rows !== tokens || input.rows !== tokens) {
      throw new FailedPreconditionError(
        `site ${site} reads some of the tokens only, and the dense model sends it others; capture without dense states, and compress with a solver that does without them (gptq with qep 0)`,
        { site },
      );
    }
    // both by the compressed model's sizes: their difference is what a weight on its input can make up for
    const factors = sizes?.map((size) => size * dense.weight) ?? new Float32Array(tokens).fill(dense.weight);
    // of the difference, since that of two products would drown in their rounding
    const difference = await this.#rows.difference(dense.input, input, factors);
    try {
      await cross.add(difference, rows);
    } finally {
      freeMatrix(difference);
    }
  }

  /**
   * The means of a language, whose sums begin again.
   *
   * @param pool takes the Grams with the language's share, where languages have none of their own; cross-moments then go on
   */
  async finish(pool?: { readonly grams: PooledGrams; readonly share: number }): Promise<SiteMeans[]> {
    const means: SiteMeans[] = [];
    for (const sums of this.#sites.values()) {
      const { plan, gram, squares, cross, tokens, seen } = sums;
      await gram?.settle();
      const { site, width } = plan;
      const ownSquares = squares?.mean(tokens) ?? gram?.diagonal().map((sum) => sum / tokens);
      const finite = (ownSquares === undefined || findNonfinite(ownSquares) < 0) && cross?.finiteDiagonal !== false;
      if (pool !== undefined && finite) gram?.addMean(tokens, pool.share, pool.grams.of(site, width));
      const own = pool === undefined ? { gram: gram?.mean(tokens), crossMoment: await cross?.take() } : {};
      gram?.clear();
      squares?.clear();
      sums.tokens = 0;
      sums.seen = 0;
      means.push({
        plan,
        tokens,
        seen,
        finite: finite && (own.crossMoment === undefined || findNonfinite(own.crossMoment) < 0),
        ...(own.gram && { gram: own.gram }),
        ...(plan.diagonal && ownSquares && { diagonal: ownSquares }),
        ...(own.crossMoment && { crossMoment: own.crossMoment }),
      });
    }
    return means;
  }

  /** The cross-moment of all languages at a site, which begins again; undefined where there is none. */
  async takeCrossMoment(site: string): Promise<Float32Array | undefined> {
    return this.#sites.get(site)?.cross?.take();
  }
}
