import { expertsSite } from "@mbs/artifacts";
import type { Statistic } from "@mbs/artifacts";
import type { MixedSite } from "./mixed-site.ts";

/** What one expert gets of the tokens of a mix. */
export interface ExpertShare {
  /** Tokens that went through it, of the languages that weigh more than 0. */
  readonly reached: number;
  /** Their share of the mix. */
  readonly share: number;
}

/** How the routers of a model share out the tokens of each language, as capture counted them. */
export class ExpertShares {
  /** Block → language → its statistic. */
  readonly #blocks = new Map<string, Map<string, Statistic>>();

  /** Remembers what it needs of a statistic. */
  take(statistic: Statistic): void {
    const { block, site, language } = statistic;
    if (site !== expertsSite) return;
    const languages = this.#blocks.get(block) ?? new Map<string, Statistic>();
    this.#blocks.set(block, languages.set(language, statistic));
  }

  /**
   * The share of each expert of a block in the mix of one of its sites.
   *
   * @returns in their order; undefined where not all experts of the block were captured
   */
  of({ block, weights }: Pick<MixedSite, "block" | "weights">): readonly ExpertShare[] | undefined {
    const languages = this.#blocks.get(block);
    if (languages === undefined) return undefined;
    const experts: { reached: number; share: number }[] = [];
    for (const [language, weight] of Object.entries(weights)) {
      const own = languages.get(language);
      if (own === undefined) return undefined;
      if (weight === 0) continue;
      for (const [expert, share] of own.values.entries()) {
        const sum = (experts[expert] ??= { reached: 0, share: 0 });
        // a float32 holds the share of a count below 2²³ exactly enough to give the count back
        sum.reached += Math.round(share * own.tokens);
        sum.share += weight * share;
      }
    }
    return experts;
  }
}
