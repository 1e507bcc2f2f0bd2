import type { Score, SimilarityRecord } from "@mbs/artifacts";

/** Scores of models in three languages; the loss of a window differs by language and model. */
export function makeScores(models: readonly string[]): Score[] {
  return models.flatMap((model, m) =>
    ["en", "mr", "te"].flatMap((language, l) =>
      Array.from({ length: 8 }, (_, window) => ({
        model,
        address: model,
        language,
        source: "",
        window,
        nll: 30 * (1 + l * 0.3 + m * 0.05 * (l + 1)) + window,
        tokens: 10,
        bytes: 40,
      })),
    ),
  );
}

/** en and fr are alike, te is not. */
export function makeSimilarities(): SimilarityRecord[] {
  const angles: [string, string, number][] = [
    ["en", "te", 60],
    ["en", "fr", 5],
    ["fr", "te", 58],
  ];
  return angles.map(([first, second, value]) => ({ step: "h.0", site: "input", measure: "degrees", first, second, value }));
}
