import { UsageError } from "@mbs/contracts";
import { requireLanguages, type OfferedLanguages } from "../named-languages.ts";
import type { Distribution } from "./distribution.ts";
import type { Mix } from "./mix.ts";

/** What turns a mix into shares of tokens. */
export interface ShareSources extends OfferedLanguages {
  /** Whether they were named: then it goes without saying that others are left out. */
  readonly areNamed?: boolean;
  /** Called for `proportional` and `temperature`. */
  readonly distribution: () => Promise<Distribution>;
  /** Tokens a byte of a language's texts, measured; asked for where shares are of bytes. */
  readonly tokensPerByte: (language: string) => Promise<number>;
  readonly warn: (message: string) => void;
}

/**
 * The distribution's shares, of tokens, for the languages that the corpus has. Languages that either side lacks cause a warning.
 *
 * @throws {UsageError} where they have no language in common
 */
async function commonShares(sources: ShareSources): Promise<ReadonlyMap<string, number>> {
  const distribution = await sources.distribution();
  const inCorpus = new Set(sources.languages);
  const common = [...distribution.shares].filter(([language]) => inCorpus.has(language));
  const absent = [...distribution.shares].filter(([language]) => !inCorpus.has(language));
  const unused = sources.languages.filter((language) => !distribution.shares.has(language));
  if (common.length === 0) {
    throw new UsageError(
      `distribution ${distribution.name} and the corpus have no language in common: ${[...distribution.shares.keys()].join(", ")} against ${sources.languages.join(", ")}`,
      { distribution: distribution.name },
    );
  }
  if (absent.length > 0 && sources.areNamed !== true) {
    const share = absent.reduce((sum, [, part]) => sum + part, 0);
    sources.warn(
      `no text for ${absent.map(([language]) => language).join(", ")} (${(100 * share).toFixed(2)}% of ${distribution.name}); the other shares are raised to 100%`,
    );
  }
  if (unused.length > 0) sources.warn(`${distribution.name} has no share for ${unused.join(", ")}; left out`);
  if (distribution.unit !== "bytes") return new Map(common);
  const shares = new Map<string, number>();
  for (const [language, share] of common) shares.set(language, share * (await sources.tokensPerByte(language)));
  return shares;
}

/** Shares of tokens that a mix asks for, on any scale. */
export async function sharesOf(mix: Mix, sources: ShareSources): Promise<ReadonlyMap<string, number>> {
  switch (mix.kind) {
    case "weights":
      requireLanguages([...mix.weights.keys()], sources, "--mix");
      return new Map([...mix.weights].filter(([, weight]) => weight > 0));
    case "equal":
      return new Map(sources.languages.map((language) => [language, 1]));
    case "only":
      requireLanguages([mix.language], sources, "--mix");
      return new Map([[mix.language, 1]]);
    case "proportional":
      return commonShares(sources);
    case "temperature": {
      const shares = await commonShares(sources);
      const sum = [...shares.values()].reduce((all, share) => all + share, 0);
      return new Map([...shares].map(([language, share]) => [language, (share / sum) ** mix.alpha]));
    }
  }
}
