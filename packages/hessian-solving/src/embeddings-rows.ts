import { allLanguages, headClassSite, headSite, ScratchFile, tokenSites, embeddingsBlock } from "@mbs/artifacts";
import type { ScratchSlot, Statistic } from "@mbs/artifacts";
import { at, BadDataError, InternalError } from "@mbs/contracts";
import { packedDiagonal, packedLength } from "@mbs/numbers";
import type { MixedSite } from "./mixed-site.ts";
import { classifyRows } from "./row-classes.ts";
import { WeightedSum } from "./weighted-sum.ts";

/**
 * How much of the H of a class is that of all rows. The cost of an error is a square only while it changes logits by less than
 * about 1: beyond that, rows that a language never predicts come up in its predictions, as e to the power of the error, where
 * their class leaves its inputs out.
 */
const shareOfAll = 0.5;

/**
 * Brings the errors of embedding and head to one unit of loss, for each class of rows.
 *
 * To second order, an error Δ of the row of token t costs ½·Σ wₗ·(cₜₗ·ΔᵀHₗΔ + pₗ·fₜₗ·|Δ|²) nats a token: w the share of a
 * language in the mix, c its mean of p·(1 - p) of the token, H its Gram of the head's inputs, and where the row is that of the
 * embedding too, f the share of the token among those that are read, and p the price of that. Summed over the rows of a class
 * and divided by its Σ w·c this is the Hessian of the class: a mean of the languages' Grams, and on its diagonal what its rows
 * cost as the embedding for each unit that they cost as the head.
 */
export class EmbeddingsRows {
  readonly #values = new Map<string, Map<string, Float32Array>>();
  readonly #grams = new Map<string, ScratchSlot>();
  #scratch: ScratchFile | undefined;

  /** Remembers what it needs of a statistic. */
  take({ block, site, language, kind, values }: Statistic): void {
    if (block !== embeddingsBlock || language === allLanguages) return;
    if (site === headSite && kind === "gram") {
      this.#scratch ??= new ScratchFile();
      this.#grams.set(language, this.#scratch.append(values));
    } else if (site !== headSite) {
      const ofSite = this.#values.get(site) ?? new Map<string, Float32Array>();
      this.#values.set(site, ofSite.set(language, values));
    }
  }

  close(): void {
    this.#scratch?.close();
  }

  /**
   * What is factorised in place of a mixed site: of the head's, the class of each row, the site of all rows, and one of each class.
   *
   * @param most classes
   */
  *sites<Site extends MixedSite>(mixed: Site, most: number): Generator<Site | MixedSite> {
    const { block, site, tokens } = mixed;
    const costs = block === embeddingsBlock && site === headSite ? this.#costsOf(mixed) : undefined;
    if (costs === undefined) {
      yield mixed;
      return;
    }
    const { weights, spread, reads } = costs;
    const canSplit = most > 1 && weights.length > 1 && this.#hasGrams(weights);
    const classes = canSplit
      ? classifyRows(
          spread,
          weights.map(([, weight]) => weight),
          most,
        )
      : undefined;
    const isSplit = classes !== undefined && classes.costs.length > 0;
    if (isSplit) {
      const { classOf } = classes;
      yield { block, site: tokenSites.classes, width: classOf.length, tokens, weights: mixed.weights, diagonal: classOf };
    }
    const whole = withIdentity(mixed, sumOf(reads) / sumOf(spread));
    yield whole;
    if (!isSplit) return;
    for (const [place, own] of classes.costs.entries()) {
      const all = own.reduce((sum, cost) => sum + cost, 0);
      const shares = weights.map(([language], index) => [language, at(own, index) / all] as const);
      const isOwn = (row: number): boolean => classes.classOf[row] === place + 1;
      yield withIdentity(this.#classSite(whole, place + 1, shares), (1 - shareOfAll) * (sumOf(reads, isOwn) / all));
    }
  }

  /**
   * What errors of each row cost the languages that weigh more than 0, times their weights: as the head, [languages][rows], and
   * as the embedding, of no language where that is another tensor.
   */
  #costsOf({ weights: all }: MixedSite) {
    const weights = Object.entries(all).filter(([, weight]) => weight > 0);
    const [reads, spread, prices] = [tokenSites.reads, tokenSites.spread, tokenSites.price].map((site) => this.#values.get(site));
    if (spread === undefined) return undefined;
    const weighed = (found: ReadonlyMap<string, Float32Array>, priceOf: (language: string) => number): Float32Array[] =>
      weights.map(([language, weight]) => {
        const own = found.get(language);
        if (own === undefined)
          throw new BadDataError(`the statistics of tokens have none of ${language}; capture again`, { language });
        return own.map((value) => value * weight * priceOf(language));
      });
    const costs = weighed(spread, () => 1);
    if (sumOf(costs) === 0) return undefined;
    return {
      weights,
      spread: costs,
      reads: reads === undefined || prices === undefined ? [] : weighed(reads, (language) => at(prices.get(language) ?? [], 0)),
    };
  }

  #hasGrams(weights: readonly (readonly [language: string, weight: number])[]): boolean {
    return weights.every(([language]) => this.#grams.has(language));
  }

  /**
   * The mean of the languages' Grams for a class, but for what is added to the diagonal, and of the H of all rows.
   *
   * @param whole the site of all rows
   * @param shares of the languages in what the class costs, sum 1
   */
  #classSite(whole: MixedSite, number: number, shares: readonly (readonly [language: string, share: number])[]): MixedSite {
    const { block, width, tokens, gram: ofAll, weights: mix } = whole;
    if (ofAll === undefined) throw new InternalError("languages have Grams of the head, and all rows none");
    const sum = new WeightedSum(packedLength(width));
    const values = new Float32Array(packedLength(width));
    for (const [language, share] of shares) {
      const slot = this.#grams.get(language);
      if (slot === undefined) throw new InternalError(`no Gram of ${language} was kept`);
      this.#scratch?.readInto(slot, values);
      sum.add(values, (1 - shareOfAll) * share);
    }
    sum.add(ofAll, shareOfAll);
    const gram = sum.mean();
    const weights = Object.fromEntries(
      shares.map(([language, share]) => [language, (1 - shareOfAll) * share + shareOfAll * (mix[language] ?? 0)]),
    );
    return { block, site: headClassSite(number), width, tokens, weights, diagonal: packedDiagonal(gram, width), gram };
  }
}

/** The sum over languages and rows. */
const sumOf = (values: readonly Float32Array[], isOwn: (row: number) => boolean = () => true): number =>
  values.reduce((all, own) => all + own.reduce((sum, value, row) => (isOwn(row) ? sum + value : sum), 0), 0);

/** Adds a multiple of I to a site's Gram. */
function withIdentity(mixed: MixedSite, amount: number): MixedSite {
  if (amount === 0) return mixed;
  const { width, diagonal, gram } = mixed;
  const raised = diagonal.map((square) => square + amount);
  if (gram === undefined) return { ...mixed, diagonal: raised };
  const changed = gram.slice();
  // the packed upper half: row i has width - i values
  for (let row = 0, start = 0; row < width; start += width - row, row += 1) changed[start] = at(changed, start) + amount;
  return { ...mixed, diagonal: raised, gram: changed };
}
