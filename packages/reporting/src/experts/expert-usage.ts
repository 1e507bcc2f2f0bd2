import { allLanguages, expertOf, expertsSite } from "@mbs/artifacts";
import type { Statistic } from "@mbs/artifacts";
import { at, BadDataError } from "@mbs/contracts";

/** How the router of a block shares out the tokens of each language. */
export interface BlockExperts {
  readonly block: string;
  readonly experts: number;
  /** Experts that a token goes through. */
  readonly used: number;
  /** Channels of the widest site of an expert, so many tokens at least its statistics ask for; 0 where no site is known. */
  readonly width: number;
  /** By language, in the order of their codes. */
  readonly languages: ReadonlyMap<string, LanguageExperts>;
}

/** What one language uses of the experts of a block. */
export interface LanguageExperts {
  readonly tokens: number;
  /** Share of its tokens that go through each expert; they sum to the experts of a token. */
  readonly shares: Float32Array;
}

/** Gathers from statistics how experts are used. */
export class ExpertUsage {
  readonly #blocks = new Map<string, Map<string, LanguageExperts>>();
  readonly #widths = new Map<string, number>();

  take({ block, site, language, tokens, width, values }: Statistic): void {
    if (expertOf(site) !== undefined) this.#widths.set(block, Math.max(this.#widths.get(block) ?? 0, width));
    if (site !== expertsSite || language === allLanguages) return;
    const languages = this.#blocks.get(block) ?? new Map<string, LanguageExperts>();
    this.#blocks.set(block, languages);
    const [other] = languages.values();
    if (languages.has(language) || (other !== undefined && other.shares.length !== width)) {
      throw new BadDataError(`statistics of ${block} have experts of ${language} twice, or of another number; capture again`, {
        block,
        language,
      });
    }
    languages.set(language, { tokens, shares: values });
  }

  /** In the order of the statistics; empty where the model has no experts. */
  blocks(): readonly BlockExperts[] {
    return [...this.#blocks].map(([block, languages]): BlockExperts => {
      const sorted = new Map([...languages].sort(([a], [b]) => (a < b ? -1 : 1)));
      const { shares } = at([...sorted.values()], 0);
      const used = Math.round(shares.reduce((sum, share) => sum + share, 0));
      return { block, experts: shares.length, used, width: this.#widths.get(block) ?? 0, languages: sorted };
    });
  }
}

/** Tokens of a language that went through an expert. */
export const reachedTokens = ({ tokens, shares }: LanguageExperts, expert: number): number =>
  Math.round(tokens * at(shares, expert));

/**
 * How many experts a language would use if it used them evenly, e to the entropy of its shares: all of them at most, and as many
 * as a token goes through at least.
 */
export function effectiveExperts({ shares }: LanguageExperts): number {
  const sum = shares.reduce((total, share) => total + share, 0);
  const entropy = shares.reduce((total, share) => (share > 0 ? total - (share / sum) * Math.log(share / sum) : total), 0);
  return Math.exp(entropy);
}

/** Share of the tokens of two languages that go through the same experts, Σ min(s, t) / Σ s: 1 is alike, 0 disjoint. */
export function routingOverlap(one: LanguageExperts, other: LanguageExperts): number {
  const common = one.shares.reduce((sum, share, expert) => sum + Math.min(share, at(other.shares, expert)), 0);
  return common / one.shares.reduce((sum, share) => sum + share, 0);
}

/** An expert that fewer tokens reached than its sites have channels. */
export interface StarvedExpert {
  readonly block: string;
  readonly expert: number;
  /** Tokens of all languages. */
  readonly reached: number;
  /** Channels of its widest site. */
  readonly width: number;
}

/** The starved experts of all blocks, by block, the least first. */
export function starvedExperts(blocks: readonly BlockExperts[]): readonly StarvedExpert[] {
  return blocks.flatMap(({ block, experts, width, languages }) =>
    Array.from({ length: experts }, (_, expert): StarvedExpert => {
      const reached = [...languages.values()].reduce((sum, own) => sum + reachedTokens(own, expert), 0);
      return { block, expert, reached, width };
    })
      .filter(({ reached }) => reached < width)
      .sort((a, b) => a.reached - b.reached),
  );
}

/** What a language uses of experts, over all blocks. */
export interface LanguageUsage {
  readonly language: string;
  readonly tokens: number;
  /** Mean of `effectiveExperts` over blocks. */
  readonly effective: number;
  /** Experts of all blocks that none of its tokens reached, and those that fewer reached than the experts' sites have channels. */
  readonly unreached: number;
  readonly few: number;
}

/** A line a language, in the order of their codes. */
export function languageUsage(blocks: readonly BlockExperts[]): readonly LanguageUsage[] {
  const languages = [...new Set(blocks.flatMap((block) => [...block.languages.keys()]))].sort();
  return languages.map((language): LanguageUsage => {
    const own = blocks.flatMap(({ width, languages: all }) => {
      const found = all.get(language);
      return found === undefined ? [] : [{ found, width }];
    });
    const reached = own.flatMap(({ found, width }) =>
      [...found.shares.keys()].map((expert) => ({ tokens: reachedTokens(found, expert), width })),
    );
    return {
      language,
      tokens: Math.max(...own.map(({ found }) => found.tokens)),
      effective: own.reduce((sum, { found }) => sum + effectiveExperts(found), 0) / own.length,
      unreached: reached.filter(({ tokens }) => tokens === 0).length,
      few: reached.filter(({ tokens, width }) => tokens < width).length,
    };
  });
}
