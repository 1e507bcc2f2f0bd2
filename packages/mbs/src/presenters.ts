import type { ArtifactStream } from "@mbs/contracts";
import type { Presenter } from "@mbs/host-cli";
import type { ScoresReport } from "@mbs/evaluation";

async function report(stream: ArtifactStream): Promise<ScoresReport> {
  const [{ collect, parseMetadata, readScores }, { scoresReport }] = await Promise.all([
    import("@mbs/artifacts"),
    import("@mbs/evaluation"),
  ]);
  const { shares } = parseMetadata("scores", stream.schema);
  return scoresReport(await collect(readScores(stream)), shares);
}

async function similarities(stream: ArtifactStream) {
  const { collect, readSimilarities } = await import("@mbs/artifacts");
  return collect(readSimilarities(stream));
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
      const { similarityMatrix, similarityTable } = await import("@mbs/reporting");
      return similarityTable(similarityMatrix(await similarities(stream), "degrees"));
    },
    json: async (stream) => ({ similarities: await similarities(stream) }),
  },
};
