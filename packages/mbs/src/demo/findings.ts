import { InternalError } from "@mbs/contracts";
import { formatRise } from "@mbs/reporting";
import type { DemoResults, LanguageRise, MethodResult, MixResult } from "./demo-results.ts";

const riseOf = (mix: MixResult, language: string): LanguageRise => {
  const found = mix.languages.find((entry) => entry.language === language);
  if (found === undefined) throw new InternalError(`no result for ${language}`, { language });
  return found;
};

const listed = (mixes: readonly MixResult[], value: (mix: MixResult) => number): string =>
  mixes.map((mix) => `${formatRise(value(mix))} with ${mix.title}`).join(", ");

/** Whether the mean rises of the mixes differ: "clearly" where the 95% intervals do not overlap. */
function verdict(mixes: readonly MixResult[], title: string, kind: "unweighted" | "weighted"): string {
  const [best, next, last] = mixes.toSorted((a, b) => a[kind].rise - b[kind].rise);
  const clearly = (a: MixResult, b: MixResult): boolean => a[kind].interval[1] < b[kind].interval[0];
  const lead = clearly(best, next) ? `${best.title} clearly best` : `${best.title} and ${next.title} about as good`;
  return `${title}: ${lead}, ${last.title} ${clearly(next, last) ? "clearly worst" : "not clearly worse"}.`;
}

/** What a method's results say, in sentences that follow from the numbers alone. */
export function findings({ languages }: Pick<DemoResults, "languages">, { title, mixes }: MethodResult): string[] {
  const [alone] = mixes;
  const [first] = languages;
  const { language } = alone.worst;
  return [
    `${title}, worst language with ${alone.title}: ${language} ${listed(mixes, (mix) => riseOf(mix, language).rise)}; ` +
      `${first.language} ${listed(mixes, (mix) => riseOf(mix, first.language).rise)}.`,
    verdict(mixes, "Plain mean", "unweighted"),
    verdict(mixes, "Weighted mean", "weighted"),
  ];
}

/** How well similarity to the calibration texts foretells who suffers. */
export function predictionFinding({ mixes, title }: MethodResult): string {
  const values = mixes.map((mix) => `${Number.isNaN(mix.correlation) ? "–" : mix.correlation.toFixed(2)} ${mix.title}`);
  return `Rank correlation of angle to the calibration mix and actual rise (${title}): ${values.join(", ")}.`;
}
