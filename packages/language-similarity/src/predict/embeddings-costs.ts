import { embeddingSite, headSite, isTokenSite, tokenSites, embeddingsBlock } from "@mbs/artifacts";
import type { OwnStatistic } from "@mbs/artifacts";
import { at } from "@mbs/contracts";
import type { RowCosts } from "./language-damage.ts";

/**
 * What errors of embedding and head cost each language, from the statistics of tokens that stand before the head's: c·ΔᵀHΔ for
 * the row of a token as the head, c the mean of its p·(1 - p), and p·f·|Δ|² where the row is that of the embedding too, f how
 * often it is read and p the price of that.
 */
export class EmbeddingsCosts {
  readonly #reads = new Map<string, Float32Array>();
  readonly #spread = new Map<string, Float32Array>();
  readonly #prices = new Map<string, number>();

  /**
   * @param width of the embedding
   * @returns the statistic of a site that weights read: of reads, that of an embedding whose head is another tensor; undefined
   *   where there is no such site
   */
  take(statistic: OwnStatistic, width: number): OwnStatistic | undefined {
    const { block, site, language, values } = statistic;
    if (block !== embeddingsBlock || !isTokenSite(site)) return statistic;
    if (site === tokenSites.spread) this.#spread.set(language, values);
    else if (site === tokenSites.price) this.#prices.set(language, at(values, 0));
    else this.#reads.set(language, values);
    if (site !== tokenSites.reads) return undefined;
    return { ...statistic, site: embeddingSite, width, values: new Float32Array(width).fill(1) };
  }

  /** The costs of the rows of a site in the language of a statistic; undefined where all rows count alike. */
  of({ block, site, language }: OwnStatistic): RowCosts | undefined {
    if (block !== embeddingsBlock) return undefined;
    const [reads, spread, price] = [this.#reads.get(language), this.#spread.get(language), this.#prices.get(language)];
    if (site === embeddingSite) return reads && { output: reads };
    if (site !== headSite || spread === undefined) return undefined;
    if (reads === undefined || price === undefined) return { output: spread };
    return { output: spread, row: reads.map((share) => share * price) };
  }
}
