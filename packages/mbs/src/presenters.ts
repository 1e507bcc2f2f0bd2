import type { Presenter } from "@mbs/host-cli";

/** How artifacts that report are shown; the modules behind them load when they are used. */
export const presenters: Readonly<Record<string, Presenter>> = {
  scores: {
    async table(stream) {
      return `${JSON.stringify(await this.json(stream), null, 2)}\n`;
    },
    async json(stream) {
      const { parseMetadata, readScores } = await import("@mbs/artifacts");
      const { scoresReport } = await import("@mbs/evaluation");
      const { shares } = parseMetadata("scores", stream.schema);
      const scores = [];
      for await (const score of readScores(stream)) scores.push(score);
      return scoresReport(scores, shares);
    },
  },
};
