import { at } from "@mbs/contracts";
import { testCorrelation } from "@mbs/numbers";
import { formatInterval, formatRise } from "../numbers.ts";
import { overSeeds, predictCommand } from "./finding.ts";
import type { Evidence, Finding, MeasuredRise } from "./finding.ts";

/** What one method did with a mix. Lists have one entry per seed. */
export interface MethodRises {
  readonly method: string;
  readonly models: readonly string[];
  readonly unweighted: readonly MeasuredRise[];
  /** Above the dense model, by language. */
  readonly languages: ReadonlyMap<string, readonly MeasuredRise[]>;
}

/** Correlations at least as strong come by chance this often at most. */
const agreementLevel = 0.05;

/** 1 where a language loses more than the method's average, -1 where less, by intervals that do not meet; else 0. */
function side({ languages, unweighted }: MethodRises, language: string): -1 | 0 | 1 {
  const rises = languages.get(language) ?? [];
  if (rises.length === 0) return 0;
  if (rises.every(({ interval: [low] }, seed) => low > at(unweighted, seed).interval[1])) return 1;
  return rises.every(({ interval: [, high] }, seed) => high < at(unweighted, seed).interval[0]) ? -1 : 0;
}

/**
 * Signature: two methods with the same mix that disagree on who suffers. Claimed where their rises by language show no
 * agreement in rank (Spearman, permutation test) and where a language loses more than the average with one method and
 * less than the average with the other, both by 95% intervals that do not meet, with every seed.
 */
export function methodsDisagree(mix: string, first: MethodRises, second: MethodRises): Finding | undefined {
  const languages = [...first.languages.keys()].filter((language) => second.languages.has(language));
  const riseOf = ({ languages: rises }: MethodRises, language: string): MeasuredRise => overSeeds(rises.get(language) ?? []);
  const { value, p } = testCorrelation(
    "spearman",
    languages.map((language) => riseOf(first, language).rise),
    languages.map((language) => riseOf(second, language).rise),
  );
  const agree = value > 0 && p < agreementLevel;
  const opposed = languages.filter((language) => side(first, language) * side(second, language) < 0);
  if (agree || opposed.length === 0) return undefined;
  const both = [first, second];
  const textOf = (language: string): string => {
    const [a, b] = [riseOf(first, language), riseOf(second, language)];
    return `${language} ${formatRise(a.rise)} (${formatInterval(a.interval)}) with ${first.method}, ${formatRise(b.rise)} (${formatInterval(b.interval)}) with ${second.method}`;
  };
  const [a, b] = [overSeeds(first.unweighted), overSeeds(second.unweighted)];
  // Where nothing varies there is no correlation, and JSON knows no NaN.
  const correlation: Evidence[] = Number.isNaN(value)
    ? []
    : [
        { what: "rank correlation of the rises", unit: "correlation", value, significant: false },
        { what: "as strong a correlation by chance", unit: "p-value", value: p, significant: false },
      ];
  const correlationText = Number.isNaN(value) ? "none" : `${value.toFixed(2)} (p = ${p.toPrecision(2)})`;
  return {
    signature: "methods-disagree",
    title: `${first.method} and ${second.method} disagree on who suffers with the ${mix}.`,
    texts: [
      `Rank correlation of their rises over ${languages.length} languages: ${correlationText}.`,
      `Means: ${formatRise(a.rise)} with ${first.method}, ${formatRise(b.rise)} with ${second.method}. Above the one and below the other: ${opposed.map(textOf).join("; ")}.`,
      "Results of one method then do not predict those of the other: choose by the languages that matter to you.",
    ],
    models: both.flatMap(({ models }) => models),
    languages: opposed,
    evidence: [
      ...correlation,
      ...opposed.flatMap((language) =>
        both.map((method): Evidence => {
          const { rise, interval } = riseOf(method, language);
          return {
            what: `${language} with ${method.method}, above dense`,
            unit: "rise",
            value: rise,
            interval,
            significant: true,
          };
        }),
      ),
    ],
    remedy: {
      text: "See at which sites each method hurts these languages.",
      command: predictCommand(at(second.models, 0)),
    },
  };
}
