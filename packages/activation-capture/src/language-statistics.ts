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

/** The sums of one language in one step. */
export class LanguageStatistics {
  readonly #sites: ReadonlyMap<string, { plan: SitePlan; gram: GramSum | undefined; squares: ColumnSquares | undefined }>;

  constructor(plans: readonly SitePlan[], kernel: GramKernel) {
    this.#sites = new Map(
      plans.map((plan) => {
        const gram = plan.gram ? kernel.sum(plan.width) : undefined;
        return [plan.site, { plan, gram, squares: plan.diagonal ? new ColumnSquares(plan.width) : undefined }];
      }),
    );
  }

  /** Adds the inputs of a site, [tokens, width]. */
  async add(site: string, states: Matrix): Promise<void> {
    const found = this.#sites.get(site);
    await found?.gram?.add(states);
    found?.squares?.add(states);
  }

  /** The means; the sums are used up. */
  finish(): SiteMeans[] {
    return [...this.#sites.values()].map(({ plan, gram, squares }) => {
      const tokens = gram?.tokens ?? squares?.tokens ?? 0;
      const mean = gram?.packed();
      if (mean !== undefined) for (let index = 0; index < mean.length; index++) mean[index] /= tokens;
      return { plan, tokens, ...(mean && { gram: mean }), ...(squares && { diagonal: squares.mean() }) };
    });
  }
}
