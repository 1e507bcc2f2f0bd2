import { encodeSimilarities, inputSite, readStatistics } from "@mbs/artifacts";
import type { SimilarityRecord } from "@mbs/artifacts";
import { InterruptedError, UsageError, parseOptions } from "@mbs/contracts";
import type { ArtifactStream, Stage } from "@mbs/contracts";
import { compareLanguages } from "./compare-languages.ts";
import { readProfiles } from "./read-profiles.ts";

async function* compareAll(statistics: ArtifactStream, signal: AbortSignal): AsyncGenerator<SimilarityRecord> {
  const { step, languages } = await readProfiles(readStatistics(statistics));
  if (signal.aborted) throw new InterruptedError("similarity: stopped");
  for (const { first, second, cosine, degrees, euclidean } of compareLanguages(languages)) {
    const pair = { step, site: inputSite, first, second };
    yield { ...pair, measure: "cosine", value: cosine };
    yield { ...pair, measure: "degrees", value: degrees };
    yield { ...pair, measure: "euclidean", value: euclidean };
  }
}

/** Stage `similarity`: the paper's measure between every two languages. */
export const similarity: Stage = {
  name: "similarity",
  summary: "Compare languages by what they put into the model's first step (cosine, degrees, Euclidean).",
  examples: ["mbs similarity < statistics.arrow > similarity.arrow"],
  inputs: { statistics: { kinds: ["statistics"], description: "statistics with the diagonal of the site `input`" } },
  outputs: { similarity: { kind: "similarity", description: "each pair of languages once, three measures" } },
  options: {},
  async run(inputs, options, context) {
    parseOptions(this.options, options, this.name);
    const statistics = inputs["statistics"]?.[0];
    if (statistics === undefined) throw new UsageError("similarity: give it statistics");
    const metadata = { model: statistics.schema.metadata["model"] ?? "" };
    return { similarity: encodeSimilarities(compareAll(statistics, context.signal), metadata) };
  },
};
