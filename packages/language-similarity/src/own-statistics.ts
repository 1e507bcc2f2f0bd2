import { inputSite, readStatistics } from "@mbs/artifacts";
import type { OwnStatistic, Statistic } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";

const isOwn = (statistic: Statistic): statistic is OwnStatistic => statistic.kind !== "cross-moment";

/** Every text gives a block some input; a site within it, an expert's, may have seen nothing of a language. */
function requireInput({ block, site, language, values }: OwnStatistic): void {
  if (site !== inputSite || values.some((value) => value !== 0)) return;
  throw new BadDataError(`statistics of ${block} ${site}: ${language} is zero in every channel; capture again`, {
    block,
    language,
  });
}

/**
 * The statistics of the sites' own inputs. Cross-moments with the dense model are left out: they say nothing about languages.
 *
 * @throws {BadDataError} on a language without any input to a block
 */
export async function* readOwnStatistics(stream: ArtifactStream): AsyncGenerator<OwnStatistic> {
  for await (const statistic of readStatistics(stream)) {
    if (!isOwn(statistic)) continue;
    requireInput(statistic);
    yield statistic;
  }
}
