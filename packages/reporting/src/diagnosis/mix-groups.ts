import type { Score } from "@mbs/artifacts";
import { at } from "@mbs/contracts";
import { averageLanguages, comparePairs } from "@mbs/evaluation";
import type { ModelAverages, PairedDifference, ScoresReport } from "@mbs/evaluation";
import type { CompressedModel } from "../scores/compressed-models.ts";
import { isSameMix } from "../scores/compressed-models.ts";
import { groupBy } from "@mbs/contracts";
import type { MeasuredRise } from "./finding.ts";

/** Models that differ in the seed of their calibration text alone. */
export interface MixGroup extends Omit<CompressedModel, "name"> {
  readonly models: readonly string[];
}

/** Models by method and mix, in the order of the scores. */
export function groupMixes(models: readonly CompressedModel[]): readonly MixGroup[] {
  const groups: { first: CompressedModel; names: string[] }[] = [];
  for (const model of models) {
    const known = groups.find(({ first }) => first.methodKey === model.methodKey && isSameMix(first.mix, model.mix));
    if (known) known.names.push(model.name);
    else groups.push({ first: model, names: [model.name] });
  }
  return groups.map(({ first: { method, methodKey, solvers, mix, mixName }, names }) => ({
    method,
    methodKey,
    solvers,
    mix,
    mixName,
    models: names,
  }));
}

/** One group against another, one entry per pair of seeds. */
export interface GroupComparison {
  readonly pairs: readonly (readonly PairedDifference[])[];
  /** Absent where the two were not scored on the same windows in all languages. */
  readonly averages: readonly ModelAverages[];
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

/** Rises of one language, one entry per pair of seeds. */
export const risesOfLanguage = ({ pairs }: GroupComparison, language: string): readonly MeasuredRise[] =>
  pairs.flatMap((own) => own.filter((pair) => pair.language === language));

/** Paired comparisons between models, each made once. */
export class Comparisons {
  readonly #scores: ReadonlyMap<string, readonly Score[]>;
  readonly #shares: Readonly<Record<string, number>> | undefined;
  readonly #report: ScoresReport;
  readonly #made = new Map<string, { pairs: readonly PairedDifference[]; averages: ModelAverages | undefined }>();

  constructor(scores: readonly Score[], shares: Readonly<Record<string, number>> | undefined, report: ScoresReport) {
    this.#scores = groupBy(scores, ({ model }) => model);
    this.#shares = shares;
    this.#report = report;
  }

  /** A group against the report's reference, the dense model. */
  withDense({ models }: MixGroup): GroupComparison {
    return {
      pairs: models.map((name) => this.#report.pairs.filter(({ model }) => model === name)),
      averages: models.flatMap((name) => this.#report.averages.filter(({ model }) => model === name)),
    };
  }

  /** A group against another. */
  between(group: MixGroup, reference: MixGroup): GroupComparison {
    const made = pairSeeds(group.models, reference.models).map(([name, other]) => this.#pair(name, other));
    return { pairs: made.map(({ pairs }) => pairs), averages: made.flatMap(({ averages }) => averages ?? []) };
  }

  #pair(model: string, reference: string) {
    const key = JSON.stringify([model, reference]);
    const known = this.#made.get(key);
    if (known) return known;
    const scores = [reference, model].flatMap((name) => this.#scores.get(name) ?? []);
    const averages = averageLanguages(scores, this.#shares, reference).find((entry) => entry.model === model);
    const pair = { pairs: comparePairs(scores, reference).pairs, averages };
    this.#made.set(key, pair);
    return pair;
  }
}

/** A mean's rises above what it was compared with, one entry per pair of seeds. */
export const risesOfMean = ({ averages }: GroupComparison, kind: "unweighted" | "weighted"): readonly MeasuredRise[] =>
  averages.flatMap((entry) => {
    const { rise, riseInterval } = entry[kind] ?? {};
    return rise === undefined || riseInterval === undefined ? [] : [{ rise, interval: riseInterval }];
  });
