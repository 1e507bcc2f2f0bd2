import { inputSite, readStatistics } from "@mbs/artifacts";
import type { OwnStatistic, Statistic } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";

const isOwn = (statistic: Statistic): statistic is OwnStatistic => statistic.kind !== "cross-moment";

/** Text always puts something into a step; at a site within, an expert's, a language may have been nowhere. */
function requireInput({ step, site, language, values }: OwnStatistic): void {
  if (site !== inputSite || values.some((value) => value !== 0)) return;
  throw new BadDataError(`statistics of ${step} ${site}: ${language} is zero in every channel; capture again`, {
    step,
    language,
  });
}

/**
 * What sites see by themselves: what they see beside the dense model says nothing of languages.
 *
 * @throws {BadDataError} on a language without any input to a step
 */
export async function* readOwnStatistics(stream: ArtifactStream): AsyncGenerator<OwnStatistic> {
  for await (const statistic of readStatistics(stream)) {
    if (!isOwn(statistic)) continue;
    requireInput(statistic);
    yield statistic;
  }
}
