import type { NumbersByName } from "@mbs/artifacts";

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
