import { formatCorrelation, formatShare } from "../../numbers.ts";
import { correlationEvidence } from "../finding.ts";
import type { SharesAgainstLosses } from "../shares-against-losses.ts";
import { defineRule } from "./rule.ts";

interface CheckedShares {
  /** The model whose losses they are. */
  readonly reference: string;
  readonly fit: SharesAgainstLosses;
}

/**
 * A distribution that does not fit the model's own losses.
 *
 * Threshold: languages with larger shares have the higher losses for how hard their text is (p < 0.05), or the share of a
 * language is farther from the one predicted from its loss than two standard deviations of the others. Both are set in
 * `compareWithLosses`; docs/distribution.md has how often they err.
 */
export const sharesDoNotFit = defineRule({
  signature: "distribution-does-not-fit",
  looksFor: "training shares that do not fit the losses",
  cases: ({ scored: { reference }, fit }): CheckedShares[] => (fit ? [{ reference, fit }] : []),
  lacks: ({ scored: { shares }, fit }) =>
    fit || !shares
      ? []
      : [
          "No texts of five languages or more were given (mbs diagnose --corpus): the training shares were not compared with the losses.",
        ],
  test({ fit: { languages, verdict } }: CheckedShares) {
    const doubtful = languages.filter((language) => language.doubtful);
    return verdict === "contradicts" || doubtful.length > 0 ? doubtful : undefined;
  },
  say({ reference, fit: { languages, correlation, verdict } }, doubtful) {
    const total = languages.reduce((sum, { share }) => sum + share, 0);
    const contradicts = verdict === "contradicts";
    const names = doubtful.map(({ language }) => language);
    const [shares, they] = names.length === 1 ? ["share", "it does"] : ["shares", "they do"];
    return {
      title: contradicts
        ? `The training shares contradict the losses of ${reference}: the larger the share, the higher the loss for how hard the text is.`
        : `The training ${shares} of ${names.join(", ")} may be off: ${they} not go with the losses of ${reference}${verdict === "fits" ? ", as the shares do on the whole" : ""}.`,
      texts: [
        `Rank correlation of share and loss against the text's entropy over ${languages.length} languages: ${formatCorrelation(correlation)}; below zero where they go together.`,
        ...doubtful.map(
          ({ language, share, predicted }) =>
            `${language}: ${formatShare(share / total)} of the training by the distribution, ${formatShare(predicted / total)} by its loss and the other languages.`,
        ),
        "A hint, not a proof: it is a line through the other languages. A mix in proportion to shares that are wrong gives the wrong languages text.",
      ],
      models: [reference],
      languages: names,
      evidence: [
        ...correlationEvidence("rank correlation of share and relative loss", correlation, contradicts),
        ...doubtful.map(({ language, factor }) => ({
          what: `${language}, share against the one predicted from its loss`,
          unit: "factor" as const,
          value: factor,
          significant: true,
        })),
      ],
      remedy: {
        text: "Estimate the shares from the tokenizer's merges, and compare both with the losses.",
        command:
          "mbs evaluate --model M --corpus HELDOUT > dense-scores.arrow && mbs distribution --model M --corpus C --scores dense-scores.arrow --against DISTRIBUTION",
      },
    };
  },
});
