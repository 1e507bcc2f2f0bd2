import { allLanguages, inputSite, readStatistics, vocabularyStep, type OwnStatistic } from "@mbs/artifacts";
import { BadDataError, type ArtifactStream } from "@mbs/contracts";
import { momentOf, type InputMoment } from "@mbs/solvers";

/** What is known of a site's input in each language. */
export interface SiteLanguages {
  readonly step: string;
  readonly site: string;
  /** Language → its Gram, or E[x²] where that is all there is; in the order of their codes. */
  readonly moments: ReadonlyMap<string, InputMoment>;
}

const finish = ({ step, site }: OwnStatistic, found: ReadonlyMap<string, OwnStatistic>): SiteLanguages => {
  const moments = [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, own]) => [name, momentOf(own)] as const);
  return { step, site, moments: new Map(moments) };
};

/**
 * Statistics by site, in their order: one site at a time is in memory.
 *
 * @throws {BadDataError} where a language comes twice
 */
export async function* readSiteLanguages(statistics: ArtifactStream): AsyncGenerator<SiteLanguages> {
  let first: OwnStatistic | undefined;
  let found = new Map<string, OwnStatistic>();
  for await (const statistic of readStatistics(statistics)) {
    const { step, site, language, kind } = statistic;
    if (site === inputSite || step === vocabularyStep || language === allLanguages || kind === "cross-moment") continue;
    if (first !== undefined && (first.step !== step || first.site !== site)) {
      yield finish(first, found);
      found = new Map();
      first = undefined;
    }
    const own = { ...statistic, kind };
    first ??= own;
    const known = found.get(language);
    if (known?.kind === kind) {
      throw new BadDataError(`statistics of ${step} ${site}: it has ${kind} of ${language} twice; capture again`, { step, site });
    }
    if (known?.kind !== "gram") found.set(language, own);
  }
  if (first !== undefined) yield finish(first, found);
}
