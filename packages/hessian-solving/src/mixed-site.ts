import { allLanguages, isReadSite } from "@mbs/artifacts";
import type { LanguageDiagonalRecord, Statistic } from "@mbs/artifacts";
import { BadDataError, languageWeights } from "@mbs/contracts";
import type { LanguageMix } from "@mbs/contracts";
import { packedDiagonal } from "@mbs/numbers";
import { WeightedSum } from "./weighted-sum.ts";

/** What a site has seen of all languages together, H = Σ wₗ·Eₗ. */
export interface MixedSite {
  readonly block: string;
  readonly site: string;
  readonly width: number;
  /** Tokens of the languages that weigh more than 0. */
  readonly tokens: number;
  /** Language → weight, sum 1. */
  readonly weights: Readonly<Record<string, number>>;
  /** E[x²], natural order, length width. */
  readonly diagonal: Float32Array;
  /** E[x xᵀ], natural order, packed upper half; absent where only diagonals were captured. */
  readonly gram?: Float32Array;
  /** E[(x̃ - x) xᵀ], natural order, [width, width]; absent where it was not captured. */
  readonly crossMoment?: Float32Array;
  /** E[x²] of each language that weighs more than 0, in the order of their codes; absent for a class of rows. */
  readonly languageDiagonals?: readonly LanguageDiagonalRecord[];
}

/** Whether a Gram of all languages, where there is one, has the mix that is asked for. */
export type PooledMix = "same" | "other";

/** A weighted sum that grows statistic by statistic, so that one language at a time is in memory. */
class Accumulator {
  readonly first: Statistic;
  readonly #mix: LanguageMix | undefined;
  readonly #pooledMix: PooledMix;
  readonly #tokens = new Map<string, number>();
  readonly #diagonals = new Map<string, Float32Array>();
  readonly #whole = new Map<Statistic["kind"], Float32Array>();
  readonly #sums = new Map<Statistic["kind"], { readonly sum: WeightedSum; readonly languages: Set<string> }>();

  constructor(first: Statistic, mix: LanguageMix | undefined, pooledMix: PooledMix) {
    this.first = first;
    this.#mix = mix;
    this.#pooledMix = pooledMix;
  }

  add(statistic: Statistic): void {
    const { block, site, language, kind, tokens, width, values } = statistic;
    if (language === allLanguages && kind !== "diagonal") {
      if (this.#pooledMix !== "same") {
        throw new BadDataError(
          `statistics of ${block} ${site}: here is one Gram of all languages in another mix; give capture this --mix, or --grams languages and a --budget for them`,
          { block, site },
        );
      }
      this.#whole.set(kind, values);
      return;
    }
    const { sum, languages } = this.#sums.get(kind) ?? { sum: new WeightedSum(values.length), languages: new Set<string>() };
    this.#sums.set(kind, { sum, languages });
    if (width !== this.first.width || languages.has(language)) {
      const what =
        width === this.first.width ? `has ${kind} of ${language} twice` : `has widths ${this.first.width} and ${width}`;
      throw new BadDataError(`statistics of ${block} ${site}: it ${what}; capture again`, { block, site, language });
    }
    languages.add(language);
    this.#tokens.set(language, tokens);
    const weight = this.#mix ? (this.#mix.get(language) ?? 0) : tokens;
    if (weight === 0) return;
    if (kind !== "cross-moment") this.#diagonals.set(language, kind === "gram" ? packedDiagonal(values, width) : values);
    sum.add(values, weight);
  }

  finish(): MixedSite {
    const { block, site, width } = this.first;
    const weights = languageWeights(this.#tokens, this.#mix);
    const used = Object.entries(weights).flatMap(([language, weight]) => (weight > 0 ? [language] : []));
    const mean = (kind: Statistic["kind"]): Float32Array | undefined => {
      const found = this.#sums.get(kind);
      return found && used.every((language) => found.languages.has(language)) ? found.sum.mean() : undefined;
    };
    const matrix = (kind: Statistic["kind"]): Float32Array | undefined => this.#whole.get(kind) ?? mean(kind);
    const gram = matrix("gram");
    const crossMoment = matrix("cross-moment");
    const diagonal = gram ? packedDiagonal(gram, width) : mean("diagonal");
    if (!diagonal) {
      throw new BadDataError(
        `statistics of ${block} ${site}: some languages have Grams only, others diagonals only; capture again`,
        {
          block,
          site,
        },
      );
    }
    const isUsed = new Set(used);
    const tokens = [...this.#tokens].reduce((sum, [language, own]) => (isUsed.has(language) ? sum + own : sum), 0);
    const languageDiagonals = used.sort().flatMap((language) => {
      const values = this.#diagonals.get(language);
      return values ? [{ language, values }] : [];
    });
    const matrices = { ...(gram && { gram }), ...(crossMoment && { crossMoment }) };
    return { block, site, width, tokens, weights, diagonal, ...matrices, languageDiagonals };
  }
}

/**
 * Mixes the statistics of each site as soon as they are read: languages of one site follow each other.
 *
 * @param mix weights; without it each language weighs as many tokens as were seen of it (the pooled Hessian of the papers)
 * @param pooledMix whether Grams of all languages were made with this mix
 * @throws {BadDataError} when statistics contradict each other, or a site comes back after another
 */
export async function* mixSites(
  statistics: AsyncIterable<Statistic>,
  mix: LanguageMix | undefined,
  pooledMix: PooledMix = mix === undefined ? "same" : "other",
): AsyncGenerator<MixedSite, void, void> {
  const seen = new Set<string>();
  let current: Accumulator | undefined;
  for await (const statistic of statistics) {
    const { block, site } = statistic;
    if (!isReadSite(site)) continue;
    if (current?.first.block !== block || current.first.site !== site) {
      if (current) {
        const mixed = current.finish();
        // frees its sums before the site is factorised: at width 16,384 they take a GiB
        current = undefined;
        yield mixed;
      }
      const key = JSON.stringify([block, site]);
      if (seen.has(key)) {
        throw new BadDataError(`statistics of ${block} ${site} are scattered over the artifact; capture again`, { block, site });
      }
      seen.add(key);
      current = new Accumulator(statistic, mix, pooledMix);
    }
    current.add(statistic);
  }
  const last = current?.finish();
  current = undefined;
  if (last) yield last;
}
