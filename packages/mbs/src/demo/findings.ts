import { InternalError, at } from "@mbs/contracts";
import { formatRise, verdict } from "@mbs/reporting";
import type { DemoResults, LanguageRise, MethodResult, MixResult } from "./demo-results.ts";

const riseOf = (mix: MixResult, language: string): LanguageRise => {
  const found = mix.languages.find((entry) => entry.language === language);
  if (found === undefined) throw new InternalError(`no result for ${language}`, { language });
  return found;
};

const listed = (mixes: readonly MixResult[], value: (mix: MixResult) => number): string =>
  mixes.map((mix) => `${formatRise(value(mix))} with ${mix.title}`).join(", ");

const contenders = (mixes: readonly MixResult[], kind: "unweighted" | "weighted") =>
  mixes.map((mix) => ({ name: mix.title, ...mix[kind] }));

/** What a method's results say, in sentences that follow from the numbers alone. */
export function findings({ languages }: Pick<DemoResults, "languages">, { title, mixes }: MethodResult): string[] {
  const alone = at(mixes, 0);
  const first = at(languages, 0);
  const { language } = alone.worst;
  const rises = (name: string): string => listed(mixes, (mix) => riseOf(mix, name).rise);
  return [
    `${title}: calibrated with ${alone.title} text, ${language} loses most. Its perplexity rises by ${rises(language)}.`,
    ...(first.language === language
      ? []
      : [`${first.language}, the largest language of the training, rises by ${rises(first.language)}.`]),
    verdict("Plain mean", contenders(mixes, "unweighted")),
    verdict("Weighted mean", contenders(mixes, "weighted")),
  ];
}

/** How well similarity to the calibration texts predicts the rises. */
export function predictionFinding({ mixes, title }: MethodResult): string {
  const values = mixes.map((mix) => `${Number.isNaN(mix.correlation) ? "–" : mix.correlation.toFixed(2)} ${mix.title}`);
  return `Rank correlation of angle to the calibration mix and actual rise (${title}): ${values.join(", ")}.`;
}
