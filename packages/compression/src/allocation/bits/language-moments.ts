import { allLanguages, isReadSite, readStatistics, SiteLanguages, type OwnStatistic, type Statistic } from "@mbs/artifacts";
import type { ArtifactStream } from "@mbs/contracts";
import { momentOf, type InputMoment } from "@mbs/solvers";

/** What is known of a site's input in each language, or of its tokens. */
export interface LanguageMoments {
  readonly block: string;
  readonly site: string;
  /** Language → its Gram, or E[x²] where that is all there is; in the order of their codes. */
  readonly moments: ReadonlyMap<string, InputMoment>;
}

/** Whether it is of one language's inputs that weights read, or of its tokens. */
const isOfLanguage = (statistic: Statistic): statistic is OwnStatistic =>
  isReadSite(statistic.site) && statistic.language !== allLanguages && statistic.kind !== "cross-moment";

/**
 * Statistics by site, in their order: one site at a time is in memory.
 *
 * @throws {BadDataError} where a language comes twice
 */
export async function* readLanguageMoments(statistics: ArtifactStream): AsyncGenerator<LanguageMoments> {
  let current: SiteLanguages | undefined;
  let found = new Map<string, InputMoment>();
  const finish = ({ block, site, names }: SiteLanguages): LanguageMoments => {
    const moments = new Map(
      names.flatMap((name) => {
        const moment = found.get(name);
        return moment === undefined ? [] : [[name, moment] as const];
      }),
    );
    found = new Map();
    return { block, site, moments };
  };
  for await (const statistic of readStatistics(statistics)) {
    if (!isOfLanguage(statistic)) continue;
    if (current?.block !== statistic.block || current.site !== statistic.site) {
      if (current !== undefined) yield finish(current);
      current = new SiteLanguages(statistic);
    }
    if (current.take(statistic)) found.set(statistic.language, momentOf(statistic));
  }
  if (current !== undefined) yield finish(current);
}
