import type { ArtifactStream } from "@mbs/contracts";
import type { Presenter } from "@mbs/host-cli";
import type { ScoresReport } from "@mbs/evaluation";

async function report(stream: ArtifactStream): Promise<ScoresReport> {
  const [{ parseMetadata, readScores }, { scoresReport }] = await Promise.all([
    import("@mbs/artifacts"),
    import("@mbs/evaluation"),
  ]);
  const { shares } = parseMetadata("scores", stream.schema);
  const scores = [];
  for await (const score of readScores(stream)) scores.push(score);
  return scoresReport(scores, shares);
}

async function similarities(stream: ArtifactStream) {
  const { readSimilarities } = await import("@mbs/artifacts");
  const records = [];
  for await (const record of readSimilarities(stream)) records.push(record);
  return records;
}

/** How artifacts that report are shown; the modules behind them load when they are used. */
export const presenters: Readonly<Record<string, Presenter>> = {
  scores: {
    async table(stream) {
      const { scoresTable } = await import("@mbs/reporting");
      return scoresTable(await report(stream));
    },
    json: report,
  },
  similarity: {
    async table(stream) {
      const { similarityTable } = await import("@mbs/reporting");
      return similarityTable(await similarities(stream));
    },
    json: async (stream) => ({ similarities: await similarities(stream) }),
  },
};
