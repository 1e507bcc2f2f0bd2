import { formatRise } from "@mbs/reporting";
import type { DemoResults, LanguageRise, MethodResult, MixResult } from "./demo-results.ts";

const riseOf = (mix: MixResult, language: string): LanguageRise => {
  const found = mix.languages.find((entry) => entry.language === language);
  if (found === undefined) throw new Error(`no result for ${language}`);
  return found;
};

const listed = (mixes: readonly MixResult[], value: (mix: MixResult) => number): string =>
  mixes.map((mix) => `${formatRise(value(mix))} with ${mix.title}`).join(", ");

/** Which mix gives the smallest mean rise, and whether it is clearly ahead of the next: intervals that do not overlap. */
function verdict(mixes: readonly MixResult[], title: string, kind: "unweighted" | "weighted"): string {
  const [best, next, last] = mixes.toSorted((a, b) => a[kind].rise - b[kind].rise);
  const clearly = (a: MixResult, b: MixResult): boolean => a[kind].interval[1] < b[kind].interval[0];
  const order = `${best.title} (${formatRise(best[kind].rise)}) < ${next.title} (${formatRise(next[kind].rise)}) < ${last.title} (${formatRise(last[kind].rise)})`;
  const lead = clearly(best, next) ? `${best.title} is clearly best` : `${best.title} and ${next.title} are about as good`;
  const tail = clearly(next, last) ? `${last.title} is clearly worst` : `${last.title} is not clearly worse`;
  return `${title}: ${order}: ${lead}, ${tail}.`;
}

/** What a method's results say, in sentences that follow from the numbers alone. */
export function findings({ languages }: Pick<DemoResults, "languages">, { title, mixes }: MethodResult): string[] {
  const [alone] = mixes;
  const [first] = languages;
  const { language } = alone.worst;
  return [
    `${title}, worst language with ${alone.title}: ${language} ${listed(mixes, (mix) => riseOf(mix, language).rise)}; ` +
      `${first.language} ${listed(mixes, (mix) => riseOf(mix, first.language).rise)}.`,
    verdict(mixes, "Mean over languages", "unweighted"),
    verdict(mixes, "Weighted by training mixture", "weighted"),
  ];
}

/** How well similarity to the calibration texts foretells who suffers. */
export function predictionFinding({ mixes, title }: MethodResult): string {
  const values = mixes.map((mix) => `${Number.isNaN(mix.correlation) ? "–" : mix.correlation.toFixed(2)} ${mix.title}`);
  return `Rank correlation of angle to the calibration mix and actual rise (${title}): ${values.join(", ")}.`;
}
