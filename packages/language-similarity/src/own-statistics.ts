import { readStatistics } from "@mbs/artifacts";
import type { OwnStatistic, Statistic } from "@mbs/artifacts";
import type { ArtifactStream } from "@mbs/contracts";

const isOwn = (statistic: Statistic): statistic is OwnStatistic => statistic.kind !== "cross-moment";

/** What sites see by themselves: what they see beside the dense model says nothing of languages. */
export async function* readOwnStatistics(stream: ArtifactStream): AsyncGenerator<OwnStatistic> {
  for await (const statistic of readStatistics(stream)) if (isOwn(statistic)) yield statistic;
}
