import { expertOf } from "@mbs/artifacts";
import { at, BadDataError, InternalError } from "@mbs/contracts";
import { packedDiagonal } from "@mbs/numbers";
import type { ExpertShare, ExpertShares } from "./expert-shares.ts";
import type { MixedSite } from "./mixed-site.ts";
import { WeightedSum } from "./weighted-sum.ts";

/** What can be done with the sites of an expert that too few tokens reached. */
export const starvedChoices = ["own", "block", "rtn"] as const;

/** How starved experts are treated. */
export interface StarvedTreatment {
  readonly onStarved: (typeof starvedChoices)[number];
  /** Fewer tokens than this make a site starved; default as many as it has channels. */
  readonly starved: number | undefined;
}

/** A site with what is known of its expert. */
export interface ReachedSite extends MixedSite {
  /** Tokens that went through its expert; absent where all do, or where they were not counted. */
  readonly reached?: number;
  /** What is done because these are too few: the statistics are those of the block, or its weights are rounded to nearest. */
  readonly treatment?: "block" | "rtn";
}

/** Whether a site reads what the router of its block reads, as the first layers of an expert do. */
const readsRouterInput = (site: string): boolean => site.endsWith("-up");

/** Σ of what the first layers of a block's experts read. Each token is in it as often as it goes through an expert. */
class RouterInput {
  readonly #sums = new Map<string, { readonly sum: WeightedSum; experts: number }>();

  add({ gram, diagonal, languageDiagonals = [] }: MixedSite): void {
    const ofLanguages = languageDiagonals.map(({ language, values }): [string, Float32Array] => [`of ${language}`, values]);
    for (const [name, values] of [["gram", gram], ["diagonal", diagonal], ...ofLanguages] as const) {
      if (values === undefined) continue;
      const found = this.#sums.get(name) ?? { sum: new WeightedSum(values.length), experts: 0 };
      this.#sums.set(name, found);
      found.sum.add(values, 1);
      found.experts += 1;
    }
  }

  /**
   * A site as if its share of the tokens were any of the block's.
   *
   * @param used experts that a token goes through
   */
  standIn(site: ReachedSite, share: number, used: number): ReachedSite {
    const scaled = (name: string): Float32Array | undefined => {
      const found = this.#sums.get(name);
      return found?.sum.mean().map((value) => (value * found.experts * share) / used);
    };
    const gram = scaled("gram");
    const diagonal = gram === undefined ? scaled("diagonal") : packedDiagonal(gram, site.width);
    if (diagonal === undefined) throw new InternalError(`${site.block} has no expert beside ${site.site}`);
    const languageDiagonals = site.languageDiagonals?.flatMap(({ language }) => {
      const values = scaled(`of ${language}`);
      return values ? [{ language, values }] : [];
    });
    return { ...site, diagonal, ...(gram && { gram }), ...(languageDiagonals && { languageDiagonals }), treatment: "block" };
  }
}

/** The sites of one block on their way, of which those with a stand-in wait until all of its experts have passed. */
class PassingBlock {
  readonly name: string;
  readonly #shares: ExpertShares;
  readonly #treatment: StarvedTreatment;
  readonly #input = new RouterInput();
  readonly #waiting: { readonly site: ReachedSite; readonly share: number; readonly used: number }[] = [];
  readonly #starved = new Map<number, number>();

  constructor(name: string, shares: ExpertShares, treatment: StarvedTreatment) {
    this.name = name;
    this.#shares = shares;
    this.#treatment = treatment;
  }

  /**
   * @returns undefined where the site waits
   * @throws {BadDataError} where starved experts are to be treated, and nothing says which these are
   */
  pass(site: MixedSite): ReachedSite | undefined {
    const { onStarved, starved } = this.#treatment;
    const expert = expertOf(site.site);
    const experts = expert === undefined ? undefined : this.#shares.of(site);
    if (expert === undefined || (experts === undefined && onStarved === "own")) return site;
    if (experts === undefined) {
      throw new BadDataError(
        `statistics of ${site.block} do not say how many tokens went through each expert; capture all sites of the block again, or pass --on-starved own`,
        { block: site.block },
      );
    }
    const isStarved = ({ reached }: ExpertShare): boolean => reached < (starved ?? site.width);
    const own = at(experts, expert);
    const { reached, share } = own;
    const counted = { ...site, reached };
    if (isStarved(own) && onStarved !== "own") this.#starved.set(expert, reached);
    if (onStarved === "rtn" && isStarved(own)) return { ...counted, treatment: "rtn" };
    if (onStarved !== "block" || !readsRouterInput(site.site) || !experts.some(isStarved)) return counted;
    this.#input.add(site);
    if (!isStarved(own)) return counted;
    const { gram: _, ...rest } = counted;
    const used = experts.reduce((sum, { share: one }) => sum + one, 0);
    // as if one token had reached an expert that none did: a sum of nothing says nothing
    this.#waiting.push({ site: rest, share: Math.max(share, 1 / site.tokens), used });
    return undefined;
  }

  /** The sites that have waited. */
  *finish(warn: (message: string) => void): Generator<ReachedSite> {
    if (this.#starved.size > 0) {
      const treated =
        this.#treatment.onStarved === "rtn"
          ? "their weights are rounded to nearest, or pruned by magnitude"
          : "their first layers take the statistics of all tokens of the block";
      const least = Math.min(...this.#starved.values());
      const what = this.#starved.size === 1 ? "1 expert is" : `${this.#starved.size} experts are`;
      warn(`${this.name}: ${what} starved, reached by ${least} tokens${this.#starved.size === 1 ? "" : " or more"}; ${treated}`);
    }
    for (const { site, share, used } of this.#waiting) yield this.#input.standIn(site, share, used);
  }
}

/**
 * Treats the sites of experts that too few tokens reached.
 *
 * With `block` the first layers of a starved expert take the statistics of all that the block's router sees, Σ Hₑ / k over its
 * experts with k of them a token, scaled to the expert's share of tokens; sites behind them read channels that no other expert
 * has, and keep their own. Such sites come after the others of their block.
 *
 * @param shares those of a block have been taken before its first site
 */
export async function* treatStarved(
  sites: AsyncIterable<MixedSite>,
  shares: ExpertShares,
  treatment: StarvedTreatment,
  warn: (message: string) => void,
): AsyncGenerator<ReachedSite, void, void> {
  let passing: PassingBlock | undefined;
  for await (const site of sites) {
    if (passing?.name !== site.block) {
      if (passing) yield* passing.finish(warn);
      passing = new PassingBlock(site.block, shares, treatment);
    }
    const passed = passing.pass(site);
    if (passed) yield passed;
  }
  if (passing) yield* passing.finish(warn);
}
