import { formatShare } from "../numbers.ts";
import type { NumbersByName } from "@mbs/artifacts";
import type { Finding } from "./finding.ts";

/** Whether training shares agree with a model's own losses: the result of `compareWithLosses` of @mbs/language-distribution. */
export interface SharesAgainstLosses {
  readonly languages: readonly {
    readonly language: string;
    /** The share to be checked, on any scale. */
    readonly share: number;
    /** The share predicted from the language's loss, on the same scale. */
    readonly predicted: number;
    /** share / predicted. */
    readonly factor: number;
    /** Farther off than two standard deviations of the other languages. */
    readonly doubtful: boolean;
  }[];
  /** Rank correlation of share and relative loss: negative where larger shares have lower losses. */
  readonly correlation: { readonly value: number; readonly p: number };
  readonly verdict: "fits" | "contradicts" | "unclear";
}

/**
 * Compares shares with losses; given by the caller, since it needs texts.
 *
 * @param losses bits per byte of the dense model, by language
 * @returns undefined where there are too few languages
 */
export type CompareShares = (shares: NumbersByName, losses: NumbersByName) => SharesAgainstLosses | undefined;

/**
 * Signature: a distribution that does not fit the model's own losses. Claimed where languages with larger shares have the
 * higher losses for how hard their text is (p < 0.05), and for single languages whose share is farther from the one
 * predicted from their loss than two standard deviations of the others.
 */
export function sharesDoNotFit(reference: string, check: SharesAgainstLosses): Finding | undefined {
  const { languages, correlation, verdict } = check;
  const total = languages.reduce((sum, { share }) => sum + share, 0);
  const doubtful = languages.filter((language) => language.doubtful);
  const contradicts = verdict === "contradicts";
  if (!contradicts && doubtful.length === 0) return undefined;
  const names = doubtful.map(({ language }) => language).join(", ");
  return {
    signature: "distribution-does-not-fit",
    title: contradicts
      ? `The training shares contradict the losses of ${reference}: the larger the share, the higher the loss for how hard the text is.`
      : `The training ${doubtful.length === 1 ? "share" : "shares"} of ${names} may be off: ${doubtful.length === 1 ? "it does" : "they do"} not go with the losses of ${reference}${verdict === "fits" ? ", as the shares do on the whole" : ""}.`,
    texts: [
      `Rank correlation of share and loss against the text's entropy over ${languages.length} languages: ${correlation.value.toFixed(2)} (p = ${correlation.p.toPrecision(2)}); below zero where they go together.`,
      ...doubtful.map(
        ({ language, share, predicted }) =>
          `${language}: ${formatShare(share / total)} of the training by the distribution, ${formatShare(predicted / total)} by its loss and the other languages.`,
      ),
      "A hint, not a proof: it is a line through the other languages. A mix in proportion to shares that are wrong gives the wrong languages text.",
    ],
    models: [reference],
    languages: doubtful.map(({ language }) => language),
    evidence: [
      {
        what: "rank correlation of share and relative loss",
        unit: "correlation",
        value: correlation.value,
        significant: contradicts,
      },
      { what: "as strong a correlation by chance", unit: "p-value", value: correlation.p, significant: contradicts },
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
}
