import type { NumbersByName } from "@mbs/artifacts";
import { numberOf } from "../../language-order.ts";
import { formatShare } from "../../numbers.ts";
import { predictCommand, riseEvidence } from "../finding.ts";
import type { MixGroup } from "../mix-groups.ts";
import { riseText } from "../rises.ts";
import type { MeasuredRise } from "../rises.ts";
import { at } from "@mbs/contracts";
import { defineRule } from "./rule.ts";

/** Rise of perplexity that is reported whatever caused it, 0.41 nats a token: our choice, above what methods lose that work. */
const much = 0.5;

interface Loss {
  readonly language: string;
  readonly rises: readonly MeasuredRise[];
  /** Of the calibration; 0 where it has no text of the language. */
  readonly mixShare: number;
}

const calibrationText = (mix: NumbersByName, share: number): string => {
  if (Object.keys(mix).length === 0) return "made without calibration texts";
  return share === 0 ? "no text of it in the calibration" : `${formatShare(share)} of the calibration`;
};

const isMuch = (rises: readonly MeasuredRise[]): boolean => rises.length > 0 && rises.every(({ interval: [low] }) => low > much);

/**
 * A language that loses most of its quality. It needs neither training shares, nor other mixes, nor similarities.
 *
 * Threshold: the whole 95% interval of its rise above the dense model is beyond +50%, with every seed.
 */
export const languageLosesMuch = defineRule({
  signature: "language-loses-much",
  looksFor: "languages that lose most of their quality",
  cases: ({ groups }): readonly MixGroup[] => groups,
  lacks: () => [],
  test({ mix, rises: { languages } }) {
    const losses = [...languages]
      .filter(([, rises]) => isMuch(rises))
      .map(([language, rises]): Loss => ({ language, rises, mixShare: numberOf(mix, language) }));
    return losses.length > 0 ? losses : undefined;
  },
  say({ method, mix, mixName, models, rises }, losses) {
    const names = losses.map(({ language }) => language);
    const isWithoutText = Object.keys(mix).length > 0 && losses.some(({ mixShare }) => mixShare === 0);
    return {
      title: `${method}, ${mixName}: ${names.join(", ")} ${names.length === 1 ? "loses most of its" : "lose most of their"} quality.`,
      texts: [
        `The unweighted mean of all languages changes by ${riseText(rises.unweighted)}.`,
        ...losses.map(
          ({ language, rises: own, mixShare }) => `${language} rises ${riseText(own)}: ${calibrationText(mix, mixShare)}.`,
        ),
      ],
      models,
      languages: names,
      evidence: losses.flatMap(({ language, rises: own }) => riseEvidence(`${language}, above dense`, own, true)),
      remedy: isWithoutText
        ? {
            text: "Calibrate with text of these languages too; if they still lose as much, take more bits or a larger type.",
            command: "mbs sample --model M --corpus C --mix equal --segments 256 > segments.arrow",
          }
        : {
            text: "Take more bits, a larger type or less sparsity, and more calibration text; see which sites lose most.",
            command: predictCommand(at(models, 0)),
          },
    };
  },
});
