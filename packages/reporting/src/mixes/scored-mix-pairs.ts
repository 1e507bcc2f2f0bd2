import type { Interval } from "@mbs/evaluation";
import { createComparison, groupMixes, pairSeeds } from "../diagnosis/mix-groups.ts";
import type { MixGroup } from "../diagnosis/mix-groups.ts";
import { overSeeds } from "../diagnosis/rises.ts";
import type { MeasuredRise } from "../diagnosis/rises.ts";
import { groupBy } from "@mbs/contracts";
import { formatRise, formatRiseWithin } from "../numbers.ts";
import type { CaptionedTable, Section, SectionNames } from "../page/section.ts";
import { headings } from "../terminal/table.ts";
import type { ScoredArtifact } from "../scores/scored-artifact.ts";

/** One mix against another by the same method, in one language or as a mean over languages. */
export interface MixDifference {
  /** A language, "unweighted mean" or "weighted by training mixture". */
  readonly of: string;
  /** Relative difference of perplexity: below zero the mix is better. Mean over pairs of seeds. */
  readonly rise: number;
  /** Paired 95% interval, the hull of the seeds'; absent where the two were not scored on the same windows. */
  readonly interval?: Interval;
}

export interface ScoredMixPair {
  /** "sparsegpt sparsity 0.5" */
  readonly method: string;
  readonly mix: string;
  readonly against: string;
  /** The two means first, then languages in the order of every table. */
  readonly differences: readonly MixDifference[];
}

const pairedDifference = (of: string, rises: readonly MeasuredRise[]): MixDifference[] =>
  rises.length === 0 ? [] : [{ of, ...overSeeds(rises) }];

/** Perplexities by model and language. */
type Perplexities = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** The difference of perplexities that were not measured on the same windows; nothing where one has no such language. */
function plainDifference(mix: MixGroup, against: MixGroup, language: string, perplexities: Perplexities): MixDifference[] {
  const rises = pairSeeds(mix.models, against.models).map(([own, other]) => {
    const [perplexity, reference] = [perplexities.get(own)?.get(language), perplexities.get(other)?.get(language)];
    return perplexity === undefined || reference === undefined ? undefined : perplexity / reference - 1;
  });
  const known = rises.filter((rise) => rise !== undefined);
  if (known.length < rises.length) return [];
  return [{ of: language, rise: known.reduce((sum, rise) => sum + rise, 0) / known.length }];
}

/** Every two mixes of the same method, each pair once. */
export function scoredMixPairs(scored: ScoredArtifact): readonly ScoredMixPair[] {
  const { report } = scored;
  const compare = createComparison(scored);
  const languages = [...new Set(report.results.map(({ language }) => language))];
  const perplexities: Perplexities = new Map(
    [...groupBy(report.results, ({ model }) => model)].map(([model, own]) => [
      model,
      new Map(own.map(({ language, perplexity }) => [language, perplexity])),
    ]),
  );
  const pairOf = (mix: MixGroup, against: MixGroup): ScoredMixPair => {
    const rises = compare(mix, against);
    return {
      method: mix.method,
      mix: mix.mixName,
      against: against.mixName,
      differences: [
        ...pairedDifference("unweighted mean", rises.unweighted),
        ...pairedDifference("weighted by training mixture", rises.weighted),
        ...languages.flatMap((language) => {
          const paired = rises.languages.get(language);
          return paired ? pairedDifference(language, paired) : plainDifference(mix, against, language, perplexities);
        }),
      ],
    };
  };
  return [...groupBy(groupMixes(scored), ({ methodKey }) => methodKey).values()].flatMap((groups) =>
    groups.flatMap((against, index) => groups.slice(index + 1).map((mix) => pairOf(mix, against))),
  );
}

function cellOf(difference: MixDifference | undefined): string {
  if (difference === undefined) return "–";
  const { rise, interval } = difference;
  return interval === undefined ? `${formatRise(rise)} (other windows)` : formatRiseWithin(rise, interval, true);
}

/** All that stands against one mix: one column per mix. */
function tableAgainst(pairs: readonly ScoredMixPair[]): CaptionedTable["table"] {
  const rows = [...new Set(pairs.flatMap(({ differences }) => differences.map(({ of }) => of)))];
  return {
    columns: headings(
      ["language"],
      pairs.map(({ mix }) => mix),
    ),
    rows: rows.map((row) => [row, ...pairs.map(({ differences }) => cellOf(differences.find(({ of }) => of === row)))]),
  };
}

/** More tables than this are a click away. */
const mostOpen = 3;

const otherWindowsText =
  "Where it says “other windows”, the two models were not scored on the same windows: that is the plain difference of their perplexities, of which the texts are a part.";

/** One mix against another: by how much perplexity differs, in every language, between models that differ in the mix alone. */
export function scoredMixSections(scored: ScoredArtifact, names: SectionNames): Section[] {
  const pairs = scoredMixPairs(scored);
  if (pairs.length === 0) return [];
  const tables = [...groupBy(pairs, ({ method, against }) => JSON.stringify([method, against])).values()];
  const plain = pairs.some(({ differences }) => differences.some(({ interval }) => interval === undefined));
  return [
    {
      id: names.id("mix-pairs"),
      title: names.title("One mix against another"),
      texts: [
        "Difference of perplexity between two models that differ in the mix alone, with its paired 95% bootstrap interval over windows: below zero the mix at the head of the column is better. With a star the interval excludes zero. Of several seeds it is the mean, with the hull of their intervals.",
        ...(plain ? [otherWindowsText] : []),
      ],
      tables: tables.map((own) => ({
        caption: `${own[0].method}: against ${own[0].against}`,
        table: tableAgainst(own),
        open: tables.length <= mostOpen,
      })),
      data: pairs.flatMap(({ method, mix, against, differences }) =>
        differences.map(({ of, rise, interval }) => ({
          method,
          mix,
          against,
          of,
          rise,
          low: interval?.[0] ?? "",
          high: interval?.[1] ?? "",
          sameWindows: interval !== undefined,
        })),
      ),
    },
  ];
}
