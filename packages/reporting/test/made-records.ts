import type { DamageRecord, MixRecord, MixesMetadata, Score, SimilarityRecord } from "@mbs/artifacts";

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
  return angles.map(([first, second, value]) => ({ block: "h.0", site: "input", measure: "degrees", first, second, value }));
}

/** Two blocks of three tensors; from en to te damage grows, and te has more of its own at the first block's attention. */
export function makeDamage(): DamageRecord[] {
  const tensors = [
    { site: "attention-qkv", tensor: "q", size: 1 },
    { site: "attention-qkv", tensor: "v", size: 1 },
    { site: "mlp-up", tensor: "up", size: 2 },
  ];
  return ["h.0", "h.1"].flatMap((block, place) =>
    tensors.flatMap(({ site, tensor, size }) =>
      ["en", "fr", "mr", "te"].map((language, index): DamageRecord => {
        const own = language === "te" && site === "attention-qkv" && place === 0 ? 9 : 1;
        const damage = 0.01 * size * (index + 1) * (place + 1) * own;
        return {
          block,
          site,
          tensor: `${block}.${tensor}`,
          language,
          moment: "gram",
          error: damage * 10,
          output: 10,
          damage,
        };
      }),
    ),
  );
}

export const mixesMetadata: MixesMetadata = {
  model: "gptq",
  dense: "M",
  measured: { en: 0.5, mr: 0.5 },
  exponent: 0.15,
  recommended: "worst",
  power: 4,
  importance: { en: 0.9, mr: 0.1 },
};

const predicted = (mix: string, language: string, weight: number, loss: number): MixRecord => ({
  mix,
  language,
  weight,
  loss,
  low: loss - 0.005,
  high: loss + 0.005,
});

/** Equal shares, and a mix in favour of the language that loses most. */
export const makeMixes = (): MixRecord[] => [
  predicted("equal", "en", 0.5, 0.04),
  predicted("equal", "mr", 0.5, 0.01),
  predicted("worst", "en", 0.75, 0.03),
  predicted("worst", "mr", 0.25, 0.02),
];
