import {
  ScratchArtifact,
  allLanguages,
  encodeStatistics,
  isReadSite,
  isTokenSite,
  parseMetadata,
  readStatistics,
  embeddingsBlock,
} from "@mbs/artifacts";
import type { Statistic } from "@mbs/artifacts";
import { BadDataError, InterruptedError, UsageError } from "@mbs/contracts";
import type { ArtifactStream, StageContext } from "@mbs/contracts";

/** Which statistics are used; all where nothing is named. */
export interface Selection {
  readonly block?: readonly string[] | undefined;
  readonly site?: readonly string[] | undefined;
  /** Whether those of embedding and head are wanted too, whatever blocks and sites are named. */
  readonly embeddings?: boolean;
}

/** How much more of one language than of another a pool may hold and be called equal. */
const equalWithin = 1.5;

/** Statistics of languages that are mixed again and again. */
export interface StatisticsPool {
  readonly artifact: ScratchArtifact;
  /** Address of the model. */
  readonly model: string;
  /** Language → tokens seen of it, languages sorted. */
  readonly tokens: ReadonlyMap<string, number>;
  /** Of the widest site. */
  readonly width: number;
}

/** Refuses names that the statistics do not have: a misspelt site would be ignored silently. */
function requireFound(flag: string, wanted: readonly string[] = [], found: ReadonlySet<string>): void {
  const missing = wanted.filter((name) => !found.has(name));
  if (missing.length === 0) return;
  throw new UsageError(`${flag} names ${missing.join(", ")}; the statistics have ${[...found].join(", ")}`, { option: flag });
}

/**
 * Reads statistics once, to a temporary file. Only sites that compressed weights read are kept.
 *
 * @throws {UsageError} on a block or site that is not there
 * @throws {BadDataError} where nothing is left
 */
export async function poolStatistics(
  stream: ArtifactStream,
  { block: blocks, site: sites, embeddings = false }: Selection,
  { signal, progress }: Pick<StageContext, "signal" | "progress">,
): Promise<StatisticsPool> {
  const metadata = parseMetadata("statistics", stream.schema);
  const found = { blocks: new Set<string>(), sites: new Set<string>() };
  const tokens = new Map<string, number>();
  let width = 0;
  let done = 0;
  const chosen = async function* (): AsyncGenerator<Statistic> {
    for await (const statistic of readStatistics(stream)) {
      if (signal.aborted) throw new InterruptedError("mix: stopped");
      const { block, site, language } = statistic;
      const isEmbeddings = block === embeddingsBlock;
      if (!isReadSite(site) || (isEmbeddings && !embeddings)) continue;
      if (isEmbeddings && isTokenSite(site)) {
        yield statistic;
        continue;
      }
      found.blocks.add(block);
      found.sites.add(site);
      const isNamed = (!blocks || blocks.includes(block)) && (!sites || sites.includes(site));
      if (!isNamed && !isEmbeddings) continue;
      if (language !== allLanguages) tokens.set(language, Math.max(tokens.get(language) ?? 0, statistic.tokens));
      width = Math.max(width, statistic.width);
      done += 1;
      progress({ activity: "read statistics", done, unit: "matrices" });
      yield statistic;
    }
  };
  const artifact = await ScratchArtifact.from(encodeStatistics(chosen(), metadata));
  try {
    requireFound("--block", blocks, found.blocks);
    requireFound("--site", sites, found.sites);
    if (tokens.size === 0) throw new BadDataError("mix: the statistics hold no language at the sites asked for; capture again");
  } catch (error) {
    artifact.close();
    throw error;
  }
  return { artifact, model: metadata.model, tokens: new Map([...tokens].sort(([a], [b]) => (a < b ? -1 : 1))), width };
}

/** Warns where weights of these statistics would be misleading: unequal amounts, or too few tokens. */
export function warnOfPool({ tokens, width }: StatisticsPool, warn: (message: string) => void): void {
  const ordered = [...tokens].sort(([, a], [, b]) => a - b);
  const [least, most] = [ordered[0], ordered.at(-1)];
  if (least && most && most[1] > equalWithin * least[1]) {
    warn(`the pool is not equal: ${most[1]} tokens of ${most[0]}, ${least[1]} of ${least[0]}; sample again with --mix equal`);
  }
  const few = ordered.filter(([, count]) => count < width).map(([language]) => language);
  if (few.length > 0) {
    warn(`fewer than ${width} tokens, the width of a site, of ${few.join(", ")}: their statistics are noise; sample more`);
  }
}
