import { headSite, tokenSites, vocabularyStep } from "@mbs/artifacts";
import { at } from "@mbs/contracts";
import type { MixedSite } from "./mixed-site.ts";

/**
 * Brings the errors of a tensor that is embedding and head to one unit of loss.
 *
 * An error Δ of a token's row costs ½·c·ΔᵀHΔ nats a token as the head, c the mean of p·(1 - p) of that token and H the Gram of
 * the head's inputs, and ½·p·f·|Δ|² as the embedding, f the share of the token among those that are read and p the price. Over
 * all rows Σc·H + p·I is what an error costs, up to a factor: H + p/Σc·I.
 */
export class VocabularyCosts {
  #price: number | undefined;
  #spread: number | undefined;

  /** A site, and the head's with what its weights cost as the embedding, where they are that too. */
  withReads(mixed: MixedSite): MixedSite {
    const { step, site, diagonal } = mixed;
    if (site === tokenSites.price) this.#price = at(diagonal, 0);
    if (site === tokenSites.spread) this.#spread = diagonal.reduce((sum, spread) => sum + spread, 0);
    if (step !== vocabularyStep || site !== headSite || this.#price === undefined || !this.#spread) return mixed;
    return withIdentity(mixed, this.#price / this.#spread);
  }
}

/** Adds a multiple of I to a site's Gram. */
function withIdentity(mixed: MixedSite, amount: number): MixedSite {
  const { width, diagonal, gram } = mixed;
  const raised = diagonal.map((square) => square + amount);
  if (gram === undefined) return { ...mixed, diagonal: raised };
  const changed = gram.slice();
  // the packed upper half: row i has width - i values
  for (let row = 0, start = 0; row < width; start += width - row, row += 1) changed[start] = at(changed, start) + amount;
  return { ...mixed, diagonal: raised, gram: changed };
}
