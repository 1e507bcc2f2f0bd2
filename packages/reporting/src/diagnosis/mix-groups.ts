import type { Score } from "@mbs/artifacts";
import { at, groupBy } from "@mbs/contracts";
import { averageLanguages, comparePairs } from "@mbs/evaluation";
import type { ModelAverages, PairedDifference, WorstRise } from "@mbs/evaluation";
import { isSameMix } from "../scores/compressed-models.ts";
import type { CompressedModel } from "../scores/compressed-models.ts";
import type { ScoredArtifact } from "../scores/scored-artifact.ts";
import type { MeasuredRise } from "./rises.ts";

/** Rises of a group's models above others. Lists have one entry for each pair of seeds; none where one of them was not measured. */
export interface GroupRises {
  readonly unweighted: readonly MeasuredRise[];
  readonly weighted: readonly MeasuredRise[];
  /** In the language that rose most. */
  readonly worst: readonly WorstRise[];
  /** Those that every pair of seeds has. */
  readonly languages: ReadonlyMap<string, readonly MeasuredRise[]>;
}

/** Models that differ in the seed of their calibration text alone. */
export interface MixGroup extends Omit<CompressedModel, "name"> {
  readonly models: readonly string[];
  /** Above the report's reference, the dense model. */
  readonly rises: GroupRises;
}

/** @param compared of each pair of seeds */
function groupRises(
  compared: readonly { readonly pairs: readonly PairedDifference[]; readonly average: ModelAverages | undefined }[],
): GroupRises {
  const ofAll = <Item>(items: readonly Item[]): readonly Item[] => (items.length === compared.length ? items : []);
  const mean = (kind: "unweighted" | "weighted"): readonly MeasuredRise[] =>
    ofAll(
      compared.flatMap(({ average }) => {
        const { rise, riseInterval } = average?.[kind] ?? {};
        return rise === undefined || riseInterval === undefined ? [] : [{ rise, interval: riseInterval }];
      }),
    );
  const pairs = compared.flatMap((one) => one.pairs);
  return {
    unweighted: mean("unweighted"),
    weighted: mean("weighted"),
    worst: ofAll(compared.flatMap(({ average }) => average?.worstRise ?? [])),
    languages: new Map([...groupBy(pairs, ({ language }) => language)].filter(([, rises]) => ofAll(rises).length > 0)),
  };
}

/** Models by method and mix, in the order of the scores. */
export function groupMixes({ compressed, report }: ScoredArtifact): readonly MixGroup[] {
  const groups: (Omit<CompressedModel, "name"> & { readonly models: string[] })[] = [];
  for (const { name, ...made } of compressed) {
    const known = groups.find(({ methodKey, mix }) => methodKey === made.methodKey && isSameMix(mix, made.mix));
    if (known) known.models.push(name);
    else groups.push({ ...made, models: [name] });
  }
  return groups.map((group) => ({
    ...group,
    rises: groupRises(
      group.models.map((name) => ({
        pairs: report.pairs.filter(({ model }) => model === name),
        average: report.averages.find(({ model }) => model === name),
      })),
    ),
  }));
}

/** The one language that models were calibrated with; undefined for a mix of several. */
export function aloneLanguage({ mix }: Pick<CompressedModel, "mix">): string | undefined {
  const [language, ...others] = Object.keys(mix);
  return others.length === 0 ? language : undefined;
}

/**
 * Seeds of two groups in pairs, the first with the first. The group with fewer begins again, so that no seed is left out:
 * each has to support a finding.
 */
export const pairSeeds = <First, Second>(
  first: readonly First[],
  second: readonly Second[],
): readonly (readonly [First, Second])[] =>
  Array.from({ length: Math.max(first.length, second.length) }, (_, seed) => [
    at(first, seed % first.length),
    at(second, seed % second.length),
  ]);

/** Rises of one group above another. */
export type CompareGroups = (group: MixGroup, reference: MixGroup) => GroupRises;

/** Compares groups of the scores, any two once. */
export function createComparison({ scores, shares }: Pick<ScoredArtifact, "scores" | "shares">): CompareGroups {
  const byModel: ReadonlyMap<string, readonly Score[]> = groupBy(scores, ({ model }) => model);
  const made = new Map<string, GroupRises>();
  return ({ models }, { models: references }) => {
    const key = JSON.stringify([models, references]);
    const known = made.get(key);
    if (known) return known;
    const compared = pairSeeds(models, references).map(([name, reference]) => {
      const both = [reference, name].flatMap((one) => byModel.get(one) ?? []);
      const average = averageLanguages(both, shares, reference).find(({ model }) => model === name);
      return { pairs: comparePairs(both, reference).pairs, average };
    });
    const rises = groupRises(compared);
    made.set(key, rises);
    return rises;
  };
}
