import type { Matrix } from "@mbs/contracts";
import type { GramKernel, GramSum } from "@mbs/onnx";
import { ColumnSquares } from "./column-squares.ts";

/** What is gathered at one site. */
export interface SitePlan {
  readonly site: string;
  readonly width: number;
  readonly gram: boolean;
  readonly diagonal: boolean;
}

/** Means over the tokens of one language at one site. */
export interface SiteMeans {
  readonly plan: SitePlan;
  readonly tokens: number;
  /** E[x xᵀ], packed upper half. */
  readonly gram?: Float32Array;
  /** E[x²]. */
  readonly diagonal?: Float32Array;
}

interface SiteSums {
  readonly plan: SitePlan;
  readonly gram: GramSum | undefined;
  readonly squares: ColumnSquares | undefined;
  tokens: number;
}

/** The sums of one language in one step. */
export class LanguageStatistics {
  readonly #sites: ReadonlyMap<string, SiteSums>;

  constructor(plans: readonly SitePlan[], kernel: GramKernel) {
    this.#sites = new Map(
      plans.map((plan) => {
        const gram = plan.gram ? kernel.sum(plan.width) : undefined;
        return [plan.site, { plan, gram, squares: plan.diagonal ? new ColumnSquares(plan.width) : undefined, tokens: 0 }];
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
  }

  /** The means; the sums are used up. */
  finish(): SiteMeans[] {
    return [...this.#sites.values()].map(({ plan, gram, squares, tokens }) => {
      const mean = gram?.packed();
      if (mean !== undefined) for (let index = 0; index < mean.length; index++) mean[index] /= tokens;
      return { plan, tokens, ...(mean && { gram: mean }), ...(squares && { diagonal: squares.mean(tokens) }) };
    });
  }
}
