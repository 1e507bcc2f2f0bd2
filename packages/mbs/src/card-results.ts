import { collect, parseMetadata, readScores } from "@mbs/artifacts";
import type { Score } from "@mbs/artifacts";
import type { CardResults, CardRow, CardScore } from "@mbs/assembly";
import type { ArtifactStream } from "@mbs/contracts";
import { scoresReport } from "@mbs/evaluation";
import type { Average, ModelAverages } from "@mbs/evaluation";
import { reportByTrainingShare } from "@mbs/reporting";

const scoreOf = ({ perplexity, interval, rise, riseInterval }: Average): CardScore => ({
  perplexity,
  interval,
  ...(rise !== undefined && riseInterval !== undefined && { rise, riseInterval }),
});

function averageRow(label: string, averages: readonly ModelAverages[], key: "unweighted" | "weighted"): CardRow[] {
  const scores = averages.map((average) => average[key]);
  return scores.some((score) => score !== undefined) ? [{ label, scores: scores.map((score) => score && scoreOf(score)) }] : [];
}

/**
 * Sums scores up for a model card.
 *
 * @param streams artifacts of kind scores; the first model of the first is what others are compared with
 * @param address of the model that the card is of
 */
export async function readCardResults(streams: readonly ArtifactStream[], address: string): Promise<CardResults> {
  const scores: Score[] = [];
  const corpora = new Set<string>();
  let shares: Readonly<Record<string, number>> | undefined;
  for (const stream of streams) {
    const metadata = parseMetadata("scores", stream.schema);
    corpora.add(metadata.corpus);
    shares ??= metadata.shares;
    scores.push(...(await collect(readScores(stream))));
  }
  const { results, pairs, averages } = reportByTrainingShare(scoresReport(scores, shares), shares);
  const models = averages.map(({ model }) => model);
  const languages = [...new Set(results.map(({ language }) => language))].map((label): CardRow => ({
    label,
    scores: models.map((model) => {
      const isIt = (entry: { readonly model: string; readonly language: string }): boolean =>
        entry.model === model && entry.language === label;
      const [found, pair] = [results.find(isIt), pairs.find(isIt)];
      if (found === undefined) return undefined;
      const { perplexity, interval } = found;
      return { perplexity, interval, ...(pair && { rise: pair.rise, riseInterval: pair.interval }) };
    }),
  }));
  // Of the first model the language of the highest perplexity, of others the one that rose most above it.
  const worst: CardRow = {
    label: "worst language",
    scores: averages.map(({ model, worst: highest, worstRise }) => {
      const language = worstRise?.language ?? highest.language;
      const score = languages.find(({ label }) => label === language)?.scores[models.indexOf(model)];
      return score && { ...score, language };
    }),
  };
  return {
    models,
    subject: scores.find((score) => score.address === address)?.model,
    languages,
    averages: [
      ...averageRow("mean of languages", averages, "unweighted"),
      ...averageRow("weighted by training share", averages, "weighted"),
      worst,
    ],
    corpora: [...corpora],
  };
}
