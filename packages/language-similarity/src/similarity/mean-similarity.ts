import { allSites } from "@mbs/artifacts";
import type { SimilarityRecord } from "@mbs/artifacts";

interface Sum {
  readonly record: SimilarityRecord;
  total: number;
  sites: number;
}

/** Means of every measure and pair over the sites that have it. */
export class MeanSimilarity {
  readonly #sums = new Map<string, Sum>();

  add(record: SimilarityRecord): void {
    const { measure, first, second, value } = record;
    const key = JSON.stringify([measure, first, second]);
    const sum = this.#sums.get(key) ?? { record, total: 0, sites: 0 };
    this.#sums.set(key, sum);
    sum.total += value;
    sum.sites += 1;
  }

  /** The means, in the order in which the measures first came. */
  records(): SimilarityRecord[] {
    return [...this.#sums.values()].map(({ record, total, sites }) => ({
      ...record,
      block: allSites,
      site: allSites,
      value: total / sites,
    }));
  }
}
